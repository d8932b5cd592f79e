//! What a stage costs by the hour, from its tfvars and the price list, before anything is applied.
//!
//! It counts what terraform would make (terraform/main.tf is the original, a test holds the two together where they could part)
//! and leaves out what is paid by use, whose unit prices it prints instead: a run's requests are not known before the run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::prices::{Price, Prices, Unit};
use crate::experiment::section::did_you_mean;

/// The stage files, as they come with the program.
const STAGES: [(&str, &str); 5] = [
    ("0-one-box", include_str!("../../../terraform/stages/0-one-box.tfvars")),
    ("1-database", include_str!("../../../terraform/stages/1-database.tfvars")),
    ("2-assets", include_str!("../../../terraform/stages/2-assets.tfvars")),
    ("3-framework", include_str!("../../../terraform/stages/3-framework.tfvars")),
    ("4-imaging", include_str!("../../../terraform/stages/4-imaging.tfvars")),
];
/// Every variable with its type, description and default.
const VARIABLES: &str = include_str!("../../../terraform/variables.tf");
/// An application load balancer has an address in each of the two zones.
const BALANCER_ADDRESSES: f64 = 2.0;
/// modules/mysql, `storage_gib`.
const DATABASE_GIB: f64 = 20.0;
/// modules/web, `disk_gib`: with pictures on it, and without; also that of workers and load generators.
const DISK_GIB: (f64, f64) = (40.0, 20.0);

/// Which stage, with which changes.
#[derive(Debug, Clone, clap::Args)]
pub struct CostArgs {
    /// The stage: `3-framework`.
    #[arg(long)]
    pub stage: String,
    /// A variable as terraform gets it, such as `--var database=dynamodb` or `--var load_count=4`; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Also print the sum for so many hours ...
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub hours: Option<u32>,
    /// ... and so many stacks, one for each student.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub students: u32,
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `web servers (t3.small)`.
    pub what: String,
    /// How many, or how many GiB.
    pub quantity: f64,
    /// Dollars for one hour of all of them.
    pub hourly_usd: f64,
}

/// The variables of a stage: its own, those given, the defaults.
struct Variables {
    own: BTreeMap<String, String>,
}

impl Variables {
    fn of(args: &CostArgs) -> anyhow::Result<Variables> {
        let Some((_, text)) = STAGES.iter().find(|(name, _)| *name == args.stage) else {
            let near = did_you_mean(&args.stage, STAGES.iter().map(|(name, _)| *name));
            let known: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
            bail!("there is no stage {:?}; known: {}{near}", args.stage, known.join(", "));
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once('='));
        let mut own: BTreeMap<String, String> = pairs.map(pair).collect();
        for given in &args.variables {
            let (name, value) = given
                .split_once('=')
                .map(pair)
                .with_context(|| format!("--var {given}: use NAME=VALUE"))?;
            let known = variable_names();
            if !known.contains(&name.as_str()) {
                let near = did_you_mean(&name, known.iter().copied());
                bail!("--var {given}: terraform/variables.tf has no variable {name:?}{near}");
            }
            own.insert(name, value);
        }
        Ok(Variables { own })
    }

    /// A variable's value; its default where nobody set it, empty where it has none.
    fn get(&self, name: &str) -> String {
        self.own.get(name).cloned().unwrap_or_else(|| default_of(name).unwrap_or_default())
    }

    fn number(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.get(name);
        text.parse().with_context(|| format!("{name} = {text} is no number"))
    }

    /// `min` of `{ min = 2, max = 8 }`, or `min..max` as [least, most].
    fn bounds(&self, name: &str) -> anyhow::Result<[f64; 2]> {
        let text = self.get(name);
        let part = |word: &str| {
            let rest = text.split(word).nth(1)?.trim_start().strip_prefix('=')?;
            rest.trim_matches(|c: char| !c.is_ascii_digit())
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        };
        match (part("min"), part("max")) {
            (Some(least), Some(most)) => Ok([least, most]),
            _ => bail!("{name} = {text}: use {{ min = 1, max = 1 }}"),
        }
    }

    /// Whether private subnets have a way out, as terraform/main.tf decides it.
    fn nat(&self) -> bool {
        let load = self.number("load_count").is_ok_and(|count| count > 0.0);
        self.get("balancer") == "true" || self.get("jobs") == "sqs" || load
    }

    /// A type of instance, or the usual one of the architecture.
    fn instance(&self, name: &str, x86: &str, arm: &str) -> String {
        let given = self.get(name);
        match given.as_str() {
            "" if self.get("architecture") == "arm64" => arm.to_owned(),
            "" => x86.to_owned(),
            _ => given,
        }
    }
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())
}

fn variable_names() -> Vec<&'static str> {
    VARIABLES
        .lines()
        .filter_map(|line| line.strip_prefix("variable \"")?.strip_suffix("\" {"))
        .collect()
}

fn default_of(name: &str) -> Option<String> {
    let (_, rest) = VARIABLES.split_once(&format!("variable \"{name}\" {{"))?;
    let block = rest.split("\n}").next()?;
    let line = block.lines().find_map(|line| line.trim().strip_prefix("default"))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.trim_matches('"').to_owned())
}

/// The lines of a stage's bill, at the least counts.
pub fn lines(args: &CostArgs, prices: &Prices) -> anyhow::Result<Vec<Line>> {
    let stage = Variables::of(args)?;
    let (database, local) = (stage.get("database"), stage.get("assets") == "local");
    let balanced = stage.get("balancer") == "true";
    let (web, worker) = (stage.bounds("web_count")?[0], stage.bounds("worker_count")?[0]);
    let load = stage.number("load_count")?;
    let mut bill = Bill { prices, lines: Vec::new() };
    let web_disk = if local { DISK_GIB.0 } else { DISK_GIB.1 };
    for (what, count, kind, disk) in [
        (
            "web servers",
            web,
            stage.instance("web_instance_type", "t3.small", "t4g.small"),
            web_disk,
        ),
        (
            "workers",
            worker,
            stage.instance("worker_instance_type", "t3.small", "t4g.small"),
            DISK_GIB.1,
        ),
        (
            "load generators",
            load,
            stage.instance("load_instance_type", "c7i.large", "c7g.large"),
            DISK_GIB.1,
        ),
    ] {
        bill.add(&format!("{what} ({kind})"), count, &format!("ec2 {kind}"))?;
        bill.add(&format!("disks of {what}"), count * disk, "disk gp3")?;
        bill.add(&format!("metrics of {what}"), count, "metrics every minute")?;
    }
    let on_rds = database.starts_with("rds");
    let nodes = if on_rds { stage.number("database_nodes")? } else { 0.0 };
    let class = stage.get("database_instance_class");
    bill.add(&format!("MySQL nodes ({class})"), nodes, &format!("rds {class}"))?;
    bill.add("disks of MySQL nodes", nodes * DATABASE_GIB, "rds disk gp3")?;
    let node = stage.get("cache_node_type");
    let caches = if stage.get("cache") == "redis" { 1.0 } else { 0.0 };
    bill.add(&format!("cache ({node})"), caches, &format!("cache {node}"))?;
    let balancers = match (balanced, load > 0.0) {
        (true, true) => 2.0,
        (true, false) => 1.0,
        _ => 0.0,
    };
    bill.add("load balancers", balancers, "load balancer")?;
    let nat = if stage.nat() { 1.0 } else { 0.0 };
    bill.add("NAT gateway", nat, "nat gateway")?;
    // The balancer inside the VPC has none; without a balancer the one web server has one of its own.
    let addresses = if balanced { BALANCER_ADDRESSES } else { 1.0 };
    bill.add("public addresses", addresses + nat, "public address")?;
    bill.add("metrics of the CDN", if local { 0.0 } else { 1.0 }, "metrics of the cdn")?;
    bill.add("secrets", if on_rds { 2.0 } else { 1.0 }, "secret")?;
    bill.add("dashboard", 1.0, "dashboard")?;
    bill.add("alarms", alarms(&stage, nodes), "alarm")?;
    Ok(bill.lines)
}

/// As modules/observability/alarms.tf makes them.
fn alarms(stage: &Variables, nodes: f64) -> f64 {
    let when = |is: bool, count: f64| if is { count } else { 0.0 };
    let replicas = when(stage.get("database") == "rds_replicas", nodes - 1.0);
    let web = stage.instance("web_instance_type", "t3.small", "t4g.small");
    1.0 + when(web.starts_with('t'), 1.0)
        + when(stage.get("balancer") == "true", 3.0)
        + nodes
        + replicas
        + when(stage.get("database") == "dynamodb", 2.0)
        + when(stage.get("cache") == "redis", 1.0)
        + when(stage.get("jobs") == "sqs", 2.0)
}

struct Bill<'p> {
    prices: &'p Prices,
    lines: Vec<Line>,
}

impl Bill<'_> {
    fn add(&mut self, what: &str, quantity: f64, item: &str) -> anyhow::Result<()> {
        if quantity > 0.0 {
            let hourly_usd = self.prices.get(item)?.hourly(quantity);
            let hourly_usd = hourly_usd.with_context(|| format!("{item} has no hourly price"))?;
            self.lines.push(Line { what: what.to_owned(), quantity, hourly_usd });
        }
        Ok(())
    }
}

/// What to print.
pub fn describe(args: &CostArgs) -> anyhow::Result<String> {
    let prices = Prices::embedded()?;
    let lines = lines(args, &prices)?;
    let hourly: f64 = lines.iter().map(|line| line.hourly_usd).sum();
    let mut text = format!(
        "stage {} in {}: list prices of {}, in US dollars. Check before you rely on them.\n\n",
        args.stage, prices.region, prices.as_of
    );
    for line in &lines {
        let _infallible =
            writeln!(text, "{:>9.4}/hour  {:>5} x {}", line.hourly_usd, line.quantity, line.what);
    }
    let _infallible = writeln!(text, "{hourly:>9.4}/hour  in all, {:.2} a day", hourly * 24.0);
    if let Some(hours) = args.hours {
        let sum = hourly * f64::from(hours) * f64::from(args.students);
        let _infallible =
            writeln!(text, "{sum:>9.2}       for {hours} hours and {} stacks", args.students);
    }
    text.push_str("\nPaid by use, and not in the sum:\n");
    let by_use = |price: &&Price| price.hourly(1.0).is_none();
    for price in prices.price.iter().filter(by_use).filter(|price| takes_part(args, price)) {
        let _infallible =
            writeln!(text, "{:>9.4}/{}  {}", price.usd, price.unit.as_str(), price.item);
    }
    text.push_str("\nSources: the `source` of each line in reports/prices/us-east-1.toml.\n");
    Ok(text)
}

/// Whether something that is paid by use takes part in a stage.
fn takes_part(args: &CostArgs, price: &Price) -> bool {
    let Ok(stage) = Variables::of(args) else { return true };
    let on_rds = stage.get("database").starts_with("rds");
    let burstable = stage.get("database_instance_class").starts_with("db.t");
    match (price.item.as_str(), price.unit) {
        (item, _) if item.starts_with("dynamodb") => stage.get("database") == "dynamodb",
        (_, Unit::VcpuHour) => on_rds && burstable,
        (item, _) if item.starts_with("rds") => on_rds,
        (item, _) if item.contains("between zones") => on_rds || stage.nat(),
        (item, _) if item.contains("s3") || item.contains("cdn") => stage.get("assets") == "s3",
        (item, _) if item.contains("sqs") => stage.get("jobs") == "sqs",
        (_, Unit::LcuHour) => stage.get("balancer") == "true",
        (item, _) if item.contains("nat gateway") => stage.nat(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(stage: &str, variables: &[&str]) -> CostArgs {
        CostArgs {
            stage: stage.to_owned(),
            variables: variables.iter().map(|text| (*text).to_owned()).collect(),
            hours: None,
            students: 1,
        }
    }

    fn hourly(stage: &str, variables: &[&str]) -> f64 {
        let prices = Prices::embedded().expect("a price list");
        let lines = lines(&args(stage, variables), &prices).expect("a bill");
        lines.iter().map(|line| line.hourly_usd).sum()
    }

    #[test]
    fn one_box_is_one_server_and_its_surroundings() {
        // By hand: t3.small 0.0208, 40 GiB x 0.08 / 730, metrics 2.10 / 730, address 0.005, secret 0.40 / 730,
        // dashboard 3 / 730, two alarms 0.20 / 730.
        let by_hand = 0.0208 + 0.005 + (40.0 * 0.08 + 2.10 + 0.40 + 3.0 + 0.20) / 730.0;
        assert!((hourly("0-one-box", &[]) - by_hand).abs() < 1e-9);
    }

    #[test]
    fn stages_cost_more_from_one_to_the_next() {
        let costs: Vec<f64> = STAGES.iter().map(|(name, _)| hourly(name, &[])).collect();
        // Pictures in S3 are paid by use, the smaller disk saves a little, the CDN's metrics cost a little: stage 2 is beside stage 1.
        assert!(costs[0] < costs[1] && costs[2] < costs[3] && costs[3] < costs[4], "{costs:?}");
        assert!(costs[4] < 1.0, "{costs:?}");
    }

    #[test]
    fn variables_change_the_bill_and_mistakes_are_told() {
        assert!(hourly("4-imaging", &["load_count=4"]) > hourly("4-imaging", &[]) + 4.0 * 0.089);
        let four = hourly("1-database", &["database=rds_shards", "database_nodes=4"]);
        assert!(four > hourly("1-database", &[]) + 3.0 * 0.016);
        assert!(hourly("1-database", &["database=dynamodb"]) < hourly("1-database", &[]));
        let prices = Prices::embedded().expect("a price list");
        let told = |stage: &str, variables: &[&str]| {
            format!("{:#}", lines(&args(stage, variables), &prices).expect_err("refused"))
        };
        assert!(told("3-framwork", &[]).contains("did you mean \"3-framework\""));
        assert!(told("3-framework", &["web_cuont=1"]).contains("did you mean \"web_count\""));
        assert!(told("3-framework", &["web_instance_type=p5.48xlarge"]).contains("add a line"));
        assert!(told("3-framework", &["web_count=2"]).contains("use { min = 1, max = 1 }"));
    }

    #[test]
    fn the_sizes_are_those_of_terraform() {
        let main = include_str!("../../../terraform/main.tf");
        for words in [
            "burstable     = var.architecture == \"arm64\" ? \"t4g.small\" : \"t3.small\"",
            "\"arm64\" ? \"c7g.large\" : \"c7i.large\"",
            "disk_gib               = var.assets == \"local\" ? 40 : 20",
            "nat = var.balancer || local.workers || var.load_count > 0",
            "inside_balancer        = var.balancer && var.load_count > 0",
        ] {
            assert!(main.contains(words), "terraform/main.tf no longer says `{words}`");
        }
        let cdn = include_str!("../../../terraform/modules/assets/main.tf");
        assert!(cdn.contains("realtime_metrics_subscription_status = \"Enabled\""));
        let mysql = include_str!("../../../terraform/modules/mysql/variables.tf");
        let (_, storage) = mysql.split_once("variable \"storage_gib\"").expect("the variable");
        assert!(storage.contains(&format!("default     = {DATABASE_GIB}\n")));
    }

    #[test]
    fn what_is_paid_by_use_is_told_where_it_can_be_used() {
        let told = |stage: &str, variables: &[&str], item: &str| {
            describe(&args(stage, variables)).expect("a bill").contains(item)
        };
        // Wherever there is a gateway, balancer or not.
        assert!(!told("2-assets", &[], "through the nat gateway"));
        for (stage, variables) in
            [("2-assets", &["load_count=2"][..]), ("3-framework", &[]), ("4-imaging", &[])]
        {
            assert!(told(stage, variables, "NAT gateway"), "{stage}");
            assert!(told(stage, variables, "through the nat gateway"), "{stage}");
        }
        let credits = "rds credits beyond those earned";
        assert!(told("1-database", &[], credits) && !told("0-one-box", &[], credits));
        assert!(!told("1-database", &["database=dynamodb"], credits));
        assert!(told("1-database", &["database=dynamodb"], "point-in-time recovery"));
        assert!(
            told("2-assets", &[], "writes to s3") && told("2-assets", &[], "metrics of the CDN")
        );
        assert!(!told("1-database", &[], "cdn") && !told("1-database", &[], "CDN"));
        assert!(
            !told("0-one-box", &[], "between zones") && told("1-database", &[], "between zones")
        );
    }

    #[test]
    fn the_bill_names_its_date_and_what_is_not_in_it() {
        let text = describe(&CostArgs { hours: Some(16), students: 12, ..args("4-imaging", &[]) });
        let text = text.expect("a bill");
        for word in [
            "list prices of 2026-06",
            "Check before",
            "16 hours and 12 stacks",
            "jobs through sqs",
            "not in the sum",
        ] {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
        assert!(!text.contains("dynamodb"), "{text}");
    }
}
