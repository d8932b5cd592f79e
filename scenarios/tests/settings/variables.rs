//! Every variable of terraform/ says what it is, of which type, and what is wrong with a wrong value: whoever applies a stage reads
//! terraform's own message, before anything is planned.

use crate::text::{files, read};

/// A variable as it stands in a file.
struct Variable {
    name: String,
    body: String,
}

impl Variable {
    fn all(text: &str) -> Vec<Variable> {
        let blocks = text.split("\nvariable \"").skip(1);
        let blocks = blocks.map(|block| block.split("\n}").next().unwrap_or_default());
        let named = blocks.filter_map(|block| block.split_once("\" {"));
        named
            .map(|(name, body)| Variable { name: name.to_owned(), body: body.to_owned() })
            .collect()
    }

    /// The rest of the lines `attribute = ...` of the block, `depth` spaces deep.
    fn values(&self, attribute: &str, depth: usize) -> Vec<&str> {
        let value = |line: &'_ str| -> Option<usize> {
            let rest = line.strip_prefix(&" ".repeat(depth))?.strip_prefix(attribute)?;
            let rest = rest.trim_start().strip_prefix('=')?;
            Some(line.len() - rest.trim_start().len())
        };
        self.body.lines().filter_map(|line| Some(&line[value(line)?..])).collect()
    }

    /// A truth is never wrong, and a map of names that somebody chooses freely holds what it holds.
    fn may_hold_anything(&self) -> bool {
        let truths = |kind: &str| {
            let fields =
                self.body.split("object({").nth(1).and_then(|rest| rest.split("})").next());
            kind.starts_with("object({")
                && fields.is_some_and(|fields| {
                    let fields = fields.lines().map(str::trim).filter(|field| !field.is_empty());
                    fields.into_iter().all(|field| field.ends_with("= bool"))
                })
        };
        let kinds = self.values("type", 2);
        kinds.iter().any(|kind| *kind == "bool" || *kind == "map(string)" || truths(kind))
    }

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let about = self.values("description", 2);
        if about.first().is_none_or(|text| text.trim_matches('"').len() < 4) {
            found.push("has no description".to_owned());
        }
        if self.values("type", 2).is_empty() {
            found.push("has no type".to_owned());
        }
        let (conditions, messages) = (
            self.body.lines().filter(|line| line.trim() == "validation {").count(),
            self.values("error_message", 4),
        );
        if conditions == 0 && !self.may_hold_anything() {
            found.push(
                "has no validation: say what a wrong value is, and what to use instead".into(),
            );
        }
        if messages.len() != conditions {
            found.push(format!("{conditions} validations have {} messages", messages.len()));
        }
        for message in messages {
            let names_the_fix = ["Use ", "Name ", "Give ", "needs ", "need "];
            if !names_the_fix.iter().any(|word| message.contains(word)) {
                found.push(format!("its message does not name the fix: {message}"));
            }
        }
        found
    }
}

#[test]
fn every_variable_says_what_it_is_and_what_is_wrong_with_a_wrong_value() {
    let paths: Vec<String> = files("terraform", "variables.tf");
    assert_eq!(paths.len(), 1 + files("terraform/modules", "variables.tf").len());
    let (mut count, mut mistakes) = (0, Vec::new());
    for path in &paths {
        for variable in Variable::all(&read(path)) {
            count += 1;
            let name = &variable.name;
            mistakes
                .extend(variable.mistakes().iter().map(|said| format!("{path}: {name} {said}")));
        }
    }
    assert!(count > 100, "only {count} variables were found in {paths:?}");
    assert_eq!(mistakes, Vec::<String>::new());
    // Variables may stand in no other file: they would be checked by nobody.
    for path in files("terraform", ".tf").iter().filter(|path| !path.ends_with("variables.tf")) {
        assert!(!read(path).contains("\nvariable \""), "{path} has a variable");
    }
}

#[test]
fn a_variable_without_its_words_is_seen() {
    let mistakes = |body: &str| {
        let variables = Variable::all(&format!("# head\nvariable \"x\" {{\n{body}\n}}\n"));
        assert_eq!(variables.len(), 1);
        variables[0].mistakes()
    };
    let described = "  description = \"Size.\"\n";
    let checked =
        "  validation {\n    condition     = var.x > 0\n    error_message = \"Use 1.\"\n  }";
    let sound = format!("{described}  type        = number\n{checked}");
    assert_eq!(mistakes(&sound), Vec::<String>::new());
    assert_eq!(mistakes(&format!("{described}  type        = bool")), Vec::<String>::new());
    let truths = "  type = object({\n    a = bool\n    b = bool\n  })";
    assert_eq!(mistakes(&format!("{described}{truths}")), Vec::<String>::new());
    let mixed = truths.replace("b = bool", "b = string");
    assert!(mistakes(&format!("{described}{mixed}"))[0].contains("no validation"));
    assert!(mistakes(&format!("{described}  type        = number"))[0].contains("no validation"));
    assert!(mistakes(&format!("  type        = number\n{checked}"))[0].contains("no description"));
    assert!(mistakes(&format!("{described}{checked}"))[0].contains("no type"));
    let vague = sound.replace("Use 1.", "Wrong.");
    assert!(mistakes(&vague)[0].contains("does not name the fix"));
}
