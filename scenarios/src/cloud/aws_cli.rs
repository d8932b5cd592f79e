//! AWS through its own command line tool: a call is a list of words, an answer is JSON.
//!
//! Not through more SDK crates: these are a dozen calls an hour, made by people who have the tool and its credentials set up, and
//! each can be repeated by hand from the message of a failure. What measures never waits for it.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// How long one call may take; the tool itself retries within it.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Why AWS gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AwsCliError {
    /// There is no tool.
    #[error(
        "the AWS command line tool `aws` is not installed: \
         https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html, then `aws configure`"
    )]
    Missing,
    /// The tool could not be started.
    #[error("could not start `aws`")]
    Start(#[source] std::io::Error),
    /// AWS or the tool said no.
    #[error("`aws {call}` failed: {said}")]
    Refused {
        /// The words, to be repeated by hand.
        call: String,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("`aws {call}` did not answer within {} s", CALL_LIMIT.as_secs())]
    TooSlow {
        /// The words.
        call: String,
    },
    /// The answer is not what was asked for.
    #[error("`aws {call}` did not answer with JSON")]
    NotJson {
        /// The words.
        call: String,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl AwsCliError {
    /// True when AWS answered that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        let words = ["404", "NoSuchKey", "Not Found", "does not exist"];
        matches!(self, Self::Refused { said, .. } if words.iter().any(|word| said.contains(word)))
    }
}

/// The tool.
#[derive(Debug, Clone)]
pub struct AwsCli {
    program: String,
}

impl Default for AwsCli {
    /// The one on the path.
    fn default() -> Self {
        Self { program: "aws".to_owned() }
    }
}

impl AwsCli {
    /// A call whose answer is JSON; an empty answer is null.
    pub async fn json(&self, words: &[&str]) -> Result<Value, AwsCliError> {
        let text = self.text(&[words, &["--output", "json"]].concat()).await?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|source| AwsCliError::NotJson { call: words.join(" "), source })
    }

    /// A call whose answer is not looked at, such as a copy.
    pub async fn text(&self, words: &[&str]) -> Result<String, AwsCliError> {
        let call = || words.join(" ");
        let mut command = Command::new(&self.program);
        command.args(words.iter().map(OsStr::new)).env("AWS_PAGER", "");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(CALL_LIMIT, command.output())
            .await
            .map_err(|_| AwsCliError::TooSlow { call: call() })?;
        let output = output.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => AwsCliError::Missing,
            _ => AwsCliError::Start(error),
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let said = if said.is_empty() { output.status.to_string() } else { said };
        Err(AwsCliError::Refused { call: call(), said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_tool_names_the_fix() {
        let cli = AwsCli { program: "a-program-that-nobody-has".to_owned() };
        let error = cli.json(&["sts", "get-caller-identity"]).await.expect_err("it is missing");
        assert!(matches!(error, AwsCliError::Missing));
        assert!(error.to_string().contains("aws configure"), "{error}");
    }

    #[tokio::test]
    async fn a_refusal_keeps_the_words_and_what_was_said() {
        let cli = AwsCli { program: "false".to_owned() };
        let error = cli.json(&["s3", "ls"]).await.expect_err("it fails");
        assert!(error.to_string().starts_with("`aws s3 ls --output json` failed"), "{error}");
        assert!(!error.is_not_found());
    }
}
