//! The population that `photo-app seed` made, as its manifest tells it: people, photos, sessions; and how they
//! are chosen. Popular photos and active people come first in the manifest; choices follow Zipf's law, as reads
//! on photo sites do. Leaves out every choice of *what* is done: that is `driver`'s plan of an index.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use rand::Rng;
use serde::Deserialize;

/// The version of the manifest this program reads.
pub const POPULATION_SCHEMA: &str = "lightmeter/population/1";

/// Zipf's exponent for photos: close to what has been measured for photo and video sites (0.8-1.0).
const PHOTO_ZIPF: f64 = 0.9;
/// Zipf's exponent for people: activity is skewed, but less than attention.
const PERSON_ZIPF: f64 = 0.6;

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum PopulationError {
    /// The file cannot be read.
    #[error("cannot read the population manifest {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not JSON of the expected shape.
    #[error("{}:{line}: not a population manifest; `photo-app seed --manifest` writes one", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("{}: schema is `{found}`, this program reads `{POPULATION_SCHEMA}`", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema in the file.
        found: String,
    },
    /// An entry that cannot be used.
    #[error("{}: {problem}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which entry, and what is wrong with it.
        problem: String,
    },
}

/// A person of the population.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// The id.
    pub id: String,
    /// The name in URLs and at the login.
    pub name: String,
    /// The password.
    pub password: String,
    /// The session cookie, `session=...`; none when this person has to log in first.
    #[serde(default)]
    pub cookie: Option<String>,
    /// People this person follows.
    #[serde(default)]
    pub following_count: u64,
}

/// A photo of the population.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PhotoEntry {
    /// The id.
    pub id: String,
    /// The author's name.
    pub author: String,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    seed: u64,
    people: Vec<Person>,
    photos: Vec<PhotoEntry>,
    #[serde(default)]
    assets_public: Option<String>,
}

/// People and photos with the tables to choose from them.
#[derive(Debug, Clone)]
pub struct Population {
    /// The seed it was made from.
    pub seed: u64,
    /// By descending activity.
    pub people: Vec<Person>,
    /// By descending popularity.
    pub photos: Vec<PhotoEntry>,
    /// Where pages take their images from, if not from the web server.
    pub assets_public: Option<String>,
    photo_choice: Zipf,
    person_choice: Zipf,
}

impl Population {
    /// Reads and checks a manifest.
    pub fn read(path: &Path) -> Result<Self, PopulationError> {
        let text = fs::read_to_string(path)
            .map_err(|source| PopulationError::Io { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses and checks a manifest; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PopulationError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let json_error = |source: serde_json::Error| PopulationError::Json {
            path: path.to_owned(),
            line: source.line(),
            source,
        };
        let head: Head = serde_json::from_str(text).map_err(json_error)?;
        if head.schema != POPULATION_SCHEMA {
            let path = path.to_owned();
            return Err(PopulationError::Schema { path, found: head.schema });
        }
        let manifest: Manifest = serde_json::from_str(text).map_err(json_error)?;
        check(&manifest)
            .map_err(|problem| PopulationError::Entry { path: path.to_owned(), problem })?;
        let Manifest { seed, people, photos, assets_public } = manifest;
        Ok(Self { assets_public, ..Self::from_parts(seed, people, photos) })
    }

    /// A population from parts that were found some other way (the goose users discover theirs from pages).
    pub fn from_parts(seed: u64, people: Vec<Person>, photos: Vec<PhotoEntry>) -> Self {
        let photo_choice = Zipf::new(photos.len(), PHOTO_ZIPF);
        let person_choice = Zipf::new(people.len(), PERSON_ZIPF);
        Self { seed, people, photos, assets_public: None, photo_choice, person_choice }
    }

    /// Chooses the index of a photo by popularity; none when there is none.
    pub fn choose_photo(&self, random: &mut impl Rng) -> Option<usize> {
        self.photo_choice.rank(random, self.photos.len())
    }

    /// Chooses the index of a person by activity among the first `people_max`; none when there is none.
    pub fn choose_person(&self, random: &mut impl Rng, people_max: usize) -> Option<usize> {
        self.person_choice.rank(random, people_max.min(self.people.len()))
    }
}

fn check(manifest: &Manifest) -> Result<(), String> {
    // What goes into a path must need no escaping.
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    if manifest.people.is_empty() {
        return Err("`people` is empty".to_owned());
    }
    for (index, person) in manifest.people.iter().enumerate() {
        if !plain(&person.name) {
            return Err(format!("people[{index}]: `{}` is not a name for a URL", person.name));
        }
        if person.cookie.as_ref().is_some_and(|cookie| HeaderValue::from_str(cookie).is_err()) {
            return Err(format!("people[{index}]: the cookie holds characters no header may have"));
        }
    }
    for (index, photo) in manifest.photos.iter().enumerate() {
        if !plain(&photo.id) || !plain(&photo.author) {
            return Err(format!(
                "photos[{index}]: `{}` by `{}` does not fit into a URL",
                photo.id, photo.author
            ));
        }
    }
    Ok(())
}

/// Zipf's law over ranks: rank r is chosen with a probability proportional to 1 / (r + 1)^exponent.
/// The cumulative weights are kept, so that a choice is one random number and a binary search, and a choice
/// among the first n ranks follows the same law.
#[derive(Debug, Clone)]
struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self { cumulative: weights.collect() }
    }

    fn rank(&self, random: &mut impl Rng, among: usize) -> Option<usize> {
        let total = *self.cumulative.get(among.checked_sub(1)?)?;
        let point = random.random::<f64>() * total;
        Some(self.cumulative[..among].partition_point(|sum| *sum <= point).min(among - 1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    use super::*;

    fn parse(text: &str) -> Result<Population, PopulationError> {
        Population::parse(text, Path::new("population.json"))
    }

    const MANIFEST: &str = r#"{"schema":"lightmeter/population/1","seed":3,
        "people":[{"id":"1","name":"ann","password":"p","cookie":"session=x","following_count":2},
                  {"id":"2","name":"bob","password":"p"}],
        "photos":[{"id":"0a","author":"ann"},{"id":"0b","author":"bob"},{"id":"0c","author":"bob"}]}"#;

    #[test]
    fn a_manifest_is_read() {
        let population = parse(MANIFEST).expect("a sound manifest");
        assert_eq!((population.people.len(), population.photos.len()), (2, 3));
        assert_eq!(population.people[1].cookie, None);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse(text).expect_err("a mistake").to_string();
        assert!(
            message(&MANIFEST.replace("population/1", "population/2"))
                .contains("`lightmeter/population/2`")
        );
        assert!(message("{\n7").contains("population.json:2:"));
        assert!(
            message(&MANIFEST.replace("\"ann\",\"p", "\"a n\",\"p")).contains("population.json")
        );
        assert!(message(&MANIFEST.replace("0b", "0/b")).contains("photos[1]"));
        assert!(
            message(&MANIFEST.replace("\"name\":\"bob\"", "\"name\":\"b b\""))
                .contains("people[1]")
        );
    }

    #[test]
    fn choices_follow_the_weights() {
        let zipf = Zipf::new(1_000, 1.0);
        let mut random = ChaCha12Rng::seed_from_u64(1);
        let mut counts = vec![0_u32; 1_000];
        for _ in 0..200_000 {
            counts[zipf.rank(&mut random, 1_000).expect("not empty")] += 1;
        }
        // H(1000) = 7.485: rank 0 gets 13.36 %, rank 9 a tenth of it.
        assert!((26_000..27_500).contains(&counts[0]), "{}", counts[0]);
        assert!((2_400..2_950).contains(&counts[9]), "{}", counts[9]);
        let few = (0..1_000).map(|_| zipf.rank(&mut random, 3).expect("not empty"));
        assert!(few.into_iter().all(|rank| rank < 3));
        assert_eq!(zipf.rank(&mut random, 0), None);
    }
}
