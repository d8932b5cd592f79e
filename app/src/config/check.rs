//! From raw text to a checked [`Config`], collecting every mistake on the way.
//!
//! `reader` has the readers of single settings. The limits are generous bounds against slips of the keyboard, not tuning advice.

use std::path::PathBuf;
use std::time::Duration;

use super::arguments::{RawSeed, RawSettings};
use super::reader::{Checker, ConfigError};
use super::{
    AssetsSetting, CacheSetting, ClientAddress, Config, JobsSetting, LogFormat, SeedConfig,
    SessionsSetting, StoreSetting, UploadsSetting,
};
use crate::model::RenditionFormats;

/// Signs cookies on a developer's machine; refused as soon as the process listens on more than loopback.
const DEVELOPMENT_SECRET: &[u8] = b"only for a machine of one's own: not a secret";
/// Shorter keys could be guessed: the signature is HMAC-SHA-256, whose strength ends at 32 bytes.
const SECRET_BYTES_MIN: usize = 32;
const MIB: u64 = 1024 * 1024;

impl Checker {
    fn store(&mut self, raw: &RawSettings) -> StoreSetting {
        let kinds = ["sqlite", "mysql", "replicated", "sharded", "dynamodb", "memory"];
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        match self.word("--store", &raw.store, &kinds) {
            "mysql" => {
                let because = "`--store mysql` needs mysql://user:password@host:port/database";
                let url = self.required("--store-url", &raw.store_url, because);
                StoreSetting::Mysql { url: if url.is_empty() { url } else { self.mysql_url(&url) } }
            }
            "replicated" => {
                let because = "`--store replicated` needs the primary and at least one replica, comma separated, each as mysql://user:password@host:port/database";
                let text = self.required("--store-url", &raw.store_url, because);
                let mut urls: Vec<String> = list(&text);
                if !text.is_empty() {
                    urls = urls.iter().map(|url| self.mysql_url(url)).collect();
                    if urls.len() < 2 {
                        self.wrong("--store-url", None, format!("names one database; {because}"));
                    }
                }
                let primary = urls.remove(0);
                StoreSetting::Replicated { primary, replicas: urls }
            }
            "sharded" => {
                let because = "`--store sharded` needs the shards, comma separated, each as mysql://user:password@host:port/database";
                let text = self.required("--store-url", &raw.store_url, because);
                let shards = if text.is_empty() { Vec::new() } else { list(&text) };
                StoreSetting::Sharded {
                    shards: shards.iter().map(|url| self.mysql_url(url)).collect(),
                }
            }
            "dynamodb" => {
                let because =
                    "`--store dynamodb` needs an endpoint such as http://127.0.0.1:8000, or `aws`";
                let url = self.required("--store-url", &raw.store_url, because);
                let table = raw.dynamodb_table.clone().unwrap_or_else(|| "photo-app".to_owned());
                let endpoint = match url.as_str() {
                    "aws" | "" => None,
                    _ => self.http_url("--store-url", &Some(url)),
                };
                StoreSetting::Dynamodb { endpoint, table }
            }
            "memory" | "" => StoreSetting::Memory,
            _ => {
                let path = raw.store_url.as_deref().unwrap_or("photo-app-data/photos.db");
                let path = path.strip_prefix("sqlite://").unwrap_or(path);
                if path.is_empty() || path.contains("://") {
                    self.wrong(
                        "--store-url",
                        Some(path),
                        "`--store sqlite` needs the path of a file",
                    );
                }
                StoreSetting::Sqlite { path: PathBuf::from(path) }
            }
        }
    }

    fn assets(&mut self, raw: &RawSettings) -> AssetsSetting {
        let uploads = match self.word("--uploads", &raw.uploads, &["app", "presigned"]) {
            "presigned" => UploadsSetting::Presigned,
            _ => UploadsSetting::App,
        };
        match self.word("--assets", &raw.assets, &["local", "s3"]) {
            "s3" => {
                let because = "`--assets s3` needs the name of a bucket";
                let bucket = self.required("--s3-bucket", &raw.s3_bucket, because);
                let because = "`--assets s3` needs the address that pages link pictures to: the CDN's or the bucket's";
                self.required("--assets-public-url", &raw.assets_public_url, because);
                AssetsSetting::S3 {
                    endpoint: self.http_url("--s3-endpoint", &raw.s3_endpoint),
                    bucket,
                    uploads,
                }
            }
            _ => {
                if uploads == UploadsSetting::Presigned {
                    let allowed = "only an object store takes uploads from browsers: use `--assets s3`, or `--uploads app`";
                    self.wrong("--uploads", Some(uploads.as_str()), allowed);
                }
                let dir = raw.assets_dir.as_deref().unwrap_or("photo-app-data/assets");
                if dir.is_empty() {
                    self.wrong(
                        "--assets-dir",
                        Some(dir),
                        "`--assets local` needs the path of a folder",
                    );
                }
                AssetsSetting::Local { dir: PathBuf::from(dir) }
            }
        }
    }

    fn cache(&mut self, raw: &RawSettings) -> CacheSetting {
        let range = [MIB, 64 * 1024 * MIB];
        let bytes_max = self.number("--cache-bytes-max", &raw.cache_bytes_max, 64 * MIB, range);
        match self.word("--cache", &raw.cache, &["none", "moka", "redis"]) {
            "moka" => CacheSetting::Moka { bytes_max },
            "redis" => {
                let because = "`--cache redis` needs redis://host:port";
                CacheSetting::Redis { url: self.redis_url(&raw.redis_url, because) }
            }
            _ => CacheSetting::None,
        }
    }

    fn sessions(&mut self, raw: &RawSettings, listen: &str) -> SessionsSetting {
        match self.word("--sessions", &raw.sessions, &["cookie", "memory", "redis"]) {
            "memory" => SessionsSetting::Memory,
            "redis" => {
                let because = "`--sessions redis` needs redis://host:port";
                SessionsSetting::Redis { url: self.redis_url(&raw.redis_url, because) }
            }
            _ => SessionsSetting::Cookie { secret: self.secret(raw, listen) },
        }
    }

    fn secret(&mut self, raw: &RawSettings, listen: &str) -> Vec<u8> {
        match &raw.session_secret {
            Some(secret) if secret.len() >= SECRET_BYTES_MIN => secret.as_bytes().to_vec(),
            Some(secret) => {
                let have = secret.len();
                let allowed =
                    format!("has {have} bytes; use at least {SECRET_BYTES_MIN} random ones");
                self.wrong("--session-secret", None, allowed);
                Vec::new()
            }
            None if is_loopback(listen) => DEVELOPMENT_SECRET.to_vec(),
            None => {
                let allowed = format!(
                    "is missing; whoever listens on {listen} needs at least {SECRET_BYTES_MIN} random bytes, the same on every instance"
                );
                self.wrong("--session-secret", None, allowed);
                Vec::new()
            }
        }
    }

    fn jobs(&mut self, raw: &RawSettings) -> JobsSetting {
        match self.word("--jobs", &raw.jobs, &["inline", "sqs"]) {
            "sqs" => {
                let because = "`--jobs sqs` needs the URL of a queue";
                let queue_url = self.required("--sqs-queue-url", &raw.sqs_queue_url, because);
                if !queue_url.is_empty() {
                    self.http_url("--sqs-queue-url", &raw.sqs_queue_url);
                }
                JobsSetting::Sqs {
                    endpoint: self.http_url("--sqs-endpoint", &raw.sqs_endpoint),
                    queue_url,
                }
            }
            _ => JobsSetting::Inline,
        }
    }

    fn listen(&mut self, raw: &RawSettings) -> String {
        let text = raw.listen.clone().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let parts = text.rsplit_once(':');
        if !parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            self.wrong("--listen", Some(&text), "use host:port, such as 127.0.0.1:8080 or [::1]:0");
        }
        text
    }

    fn instance(&mut self, raw: &RawSettings) -> String {
        let name = raw.instance.clone().unwrap_or_else(|| "web-1".to_owned());
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            self.wrong(
                "--instance",
                Some(&name),
                "use 1 to 64 letters, digits, dots, dashes or underscores",
            );
        }
        name
    }

    fn config(&mut self, raw: &RawSettings) -> Config {
        let listen = self.listen(raw);
        let ms = |value: u64| Duration::from_millis(value);
        Config {
            instance: self.instance(raw),
            store: self.store(raw),
            store_connections_max: self.number(
                "--store-connections-max",
                &raw.store_connections_max,
                16,
                [1, 1_000],
            ) as u32,
            assets: self.assets(raw),
            assets_public_url: self.http_url("--assets-public-url", &raw.assets_public_url),
            renditions: match self.word("--renditions", &raw.renditions, &["jpeg-webp", "jpeg"]) {
                "jpeg" => RenditionFormats::Jpeg,
                _ => RenditionFormats::JpegWebp,
            },
            cache: self.cache(raw),
            sessions: self.sessions(raw, &listen),
            jobs: self.jobs(raw),
            job_concurrency: self.number("--job-concurrency", &raw.job_concurrency, 1, [1, 256])
                as u32,
            job_visibility: Duration::from_secs(self.number(
                "--job-visibility-s",
                &raw.job_visibility_s,
                30,
                [1, 43_200],
            )),
            upload_bytes_max: self.number(
                "--upload-bytes-max",
                &raw.upload_bytes_max,
                64 * MIB,
                [1_024, 256 * MIB],
            ),
            upload_pixels_max: self.number(
                "--upload-pixels-max",
                &raw.upload_pixels_max,
                40_000_000,
                [10_000, 400_000_000],
            ),
            request_timeout: ms(self.number(
                "--request-timeout-ms",
                &raw.request_timeout_ms,
                30_000,
                [10, 3_600_000],
            )),
            shutdown_grace: ms(self.number(
                "--shutdown-grace-ms",
                &raw.shutdown_grace_ms,
                10_000,
                [0, 3_600_000],
            )),
            client_address: match self.word(
                "--client-address",
                &raw.client_address,
                &["peer", "forwarded"],
            ) {
                "forwarded" => ClientAddress::Forwarded,
                _ => ClientAddress::Peer,
            },
            log_format: match self.word("--log-format", &raw.log_format, &["text", "json"]) {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            log_level: self.log_level(raw),
            listen,
        }
    }

    fn log_level(&mut self, raw: &RawSettings) -> String {
        let text = raw.log_level.clone().unwrap_or_else(|| "info".to_owned());
        if tracing_subscriber::EnvFilter::try_new(&text).is_err() {
            self.wrong(
                "--log-level",
                Some(&text),
                "use error, warn, info, debug or trace, or a filter such as info,photo_app=debug",
            );
        }
        text
    }

    fn done<T>(self, value: T) -> Result<T, ConfigError> {
        if self.mistakes.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError { mistakes: self.mistakes })
        }
    }
}

impl Config {
    /// Checks the settings of serve, work and migrate.
    pub fn check(raw: &RawSettings) -> Result<Config, ConfigError> {
        let mut checker = Checker::default();
        let config = checker.config(raw);
        checker.unknown_environment(std::env::vars_os());
        checker.done(config)
    }

    /// As [`Config::check`], for `work`: a worker needs a queue to work from.
    pub fn check_worker(raw: &RawSettings) -> Result<Config, ConfigError> {
        let mut checker = Checker::default();
        let config = checker.config(raw);
        if matches!(config.jobs, JobsSetting::Inline) && checker.mistakes.is_empty() {
            let given = raw.jobs.as_deref().unwrap_or("inline");
            checker.wrong("--jobs", Some(given), "a worker needs a queue: use sqs");
        }
        checker.unknown_environment(std::env::vars_os());
        checker.done(config)
    }
}

impl SeedConfig {
    /// Checks the settings of seed.
    pub fn check(raw: &RawSeed) -> Result<SeedConfig, ConfigError> {
        let mut checker = Checker::default();
        let seed = SeedConfig {
            config: checker.config(&raw.settings),
            people: checker.number("--people", &raw.people, 1_000, [2, 1_000_000]) as u32,
            photos: checker.number("--photos", &raw.photos, 10_000, [1, 10_000_000]) as u32,
            pictures: checker.number("--pictures", &raw.pictures, 36, [1, 1_000]) as u32,
            follows_mean: checker.number("--follows-mean", &raw.follows_mean, 20, [0, 1_000])
                as u32,
            seed: checker.number("--seed", &raw.seed, 1, [0, u64::MAX]),
            manifest: raw.manifest.as_ref().map(PathBuf::from),
        };
        checker.unknown_environment(std::env::vars_os());
        checker.done(seed)
    }
}

fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mistake;

    fn mistakes(raw: &RawSettings) -> Vec<Mistake> {
        let mut checker = Checker::default();
        checker.config(raw);
        checker.mistakes
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn nothing_given_is_a_developers_machine() {
        assert_eq!(mistakes(&RawSettings::default()), []);
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let raw = RawSettings {
            store: some("dynamodb"),
            cache: some("memcached"),
            jobs: some("sqs"),
            job_concurrency: some("many"),
            listen: some("8080"),
            ..RawSettings::default()
        };
        let mistakes = mistakes(&raw);
        let flags: Vec<&str> = mistakes.iter().map(|mistake| mistake.flag.as_str()).collect();
        for flag in ["--listen", "--store-url", "--cache", "--sqs-queue-url", "--job-concurrency"] {
            assert!(flags.contains(&flag), "{flag} is not among {flags:?}");
        }
        let text = ConfigError { mistakes }.to_string();
        assert!(text.contains("--cache `memcached`: use none, moka or redis"), "{text}");
        assert!(text.contains("`--store dynamodb` needs an endpoint"), "{text}");
    }

    #[test]
    fn only_an_object_store_takes_uploads_from_browsers() {
        let presigned = || RawSettings { uploads: some("presigned"), ..RawSettings::default() };
        let found = mistakes(&presigned());
        assert_eq!(found.len(), 1, "{found:?}");
        let text = found[0].to_string();
        assert!(
            text.contains("--uploads `presigned`") && text.contains("use `--assets s3`"),
            "{text}"
        );
        let in_a_bucket = RawSettings {
            assets: some("s3"),
            s3_bucket: some("photos"),
            assets_public_url: some("http://cdn.test"),
            ..presigned()
        };
        assert_eq!(mistakes(&in_a_bucket), []);
        let config = Config::check(&in_a_bucket).expect("sound");
        assert_eq!(config.settings()["assets_uploads"], "presigned");
        let config = Config::check(&RawSettings::default()).expect("sound");
        assert_eq!(config.settings()["assets_uploads"], "app");
        let wrong = RawSettings { uploads: some("s3"), ..RawSettings::default() };
        assert!(mistakes(&wrong)[0].to_string().contains("use app or presigned"));
    }

    #[test]
    fn the_development_secret_stays_at_home() {
        let open = RawSettings { listen: some("0.0.0.0:80"), ..RawSettings::default() };
        assert_eq!(mistakes(&open)[0].flag, "--session-secret");
        let short = RawSettings { session_secret: some("short"), ..RawSettings::default() };
        let text = mistakes(&short)[0].to_string();
        assert!(text.contains("5 bytes") && !text.contains("short"), "{text}");
    }

    #[test]
    fn addresses_with_passwords_are_never_shown() {
        let raw = RawSettings {
            store: some("sharded"),
            store_url: some("mysql://u:hunter2@h/db,postgres://u:hunter2@h/db"),
            ..RawSettings::default()
        };
        let found = mistakes(&raw);
        assert_eq!(found.len(), 1);
        assert!(!found[0].to_string().contains("hunter2"));
    }

    #[test]
    fn a_misspelt_variable_is_refused() {
        let mut checker = Checker::default();
        let variables = ["PHOTO_APP_STOER", "PHOTO_APP_STORE", "PATH"];
        checker.unknown_environment(variables.iter().map(|name| (name.into(), "x".into())));
        assert_eq!(checker.mistakes.len(), 1);
        assert_eq!(checker.mistakes[0].flag, "PHOTO_APP_STOER");
    }
}
