//! `cargo lab cloud`: costs, leftovers, and what it says when it cannot.

use serde_json::json;

use crate::stage::{World, stderr};

#[test]
fn leftovers_are_listed_and_fail_and_nothing_left_is_success() {
    let world = World::new();
    let gateway = "arn:aws:ec2:us-east-1:123456789012:natgateway/nat-1";
    let resource = json!({
        "ResourceARN": gateway,
        "Tags": [{ "Key": "stage", "Value": "3-framework" }, { "Key": "expires", "Value": "2026-12-31" }],
    });
    world.write("bin/resources.json", &json!({ "ResourceTagMappingList": [resource] }).to_string());
    let output =
        world.lightmeter(&["cloud", "leftovers", "--project", "ann", "--region", "eu-west-1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(gateway) && said.contains("1 left"), "{said}");
    // The region of the stage, and the one where global things are listed.
    let calls = world.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].contains("Key=project,Values=ann --region eu-west-1"), "{calls:?}");
    assert!(calls[1].contains("--region us-east-1"), "{calls:?}");

    world.write("bin/resources.json", r#"{ "ResourceTagMappingList": [] }"#);
    let output = world.lightmeter(&["cloud", "leftovers"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("nothing in us-east-1"));
}

#[test]
fn leftovers_that_cannot_be_asked_for_are_no_success() {
    let world = World::new();
    let output = world.lightmeter(&["cloud", "leftovers"]);
    assert!(!output.status.success(), "an `aws` that fails must not look like nothing left");
    assert!(stderr(&output).contains("resourcegroupstaggingapi"), "{}", stderr(&output));
    let nowhere = world.path("empty").display().to_string();
    let output = world.lightmeter_with(&nowhere, &["cloud", "leftovers"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("`aws` is not installed"), "{}", stderr(&output));
}

#[test]
fn the_price_of_a_class_is_told_before_anything_is_applied() {
    let world = World::new();
    let words = ["cloud", "cost", "--stage", "4-imaging", "--hours", "16", "--students", "12"];
    let output = world.lightmeter(&words);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["list prices of", "NAT gateway", "16 hours and 12 stacks", "in all"] {
        assert!(said.contains(word), "`{word}` is missing in:\n{said}");
    }
    assert_eq!(world.calls(), Vec::<String>::new(), "no account is asked");
    let output = world.lightmeter(&["cloud", "cost", "--stage", "5-more"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("known: 0-one-box, 1-database"), "{}", stderr(&output));
}
