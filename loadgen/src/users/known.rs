//! What the users know of the site: from the manifest, or from the pages they have seen, as people do.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use rand::seq::IteratorRandom;

use crate::driver::card_ids;
use crate::form::encode;
use crate::population::{Person, Population};

/// Photos and names that are remembered from pages; what exceeds it is not needed for a varied load.
const REMEMBERED_MAX: usize = 1_000;

/// Photos and people; shared by all users.
#[derive(Debug)]
pub(super) struct Known {
    population: Option<Population>,
    seen: Mutex<Seen>,
    next_person: AtomicUsize,
}

#[derive(Debug, Default)]
struct Seen {
    photos: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Known {
    pub(super) fn new(population: Option<Population>) -> Self {
        Self { population, seen: Mutex::default(), next_person: AtomicUsize::new(0) }
    }

    /// Remembers the photos and people of a page; of no use with a manifest.
    pub(super) fn learn(&self, html: &str) {
        if self.population.is_some() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.photos.len() < REMEMBERED_MAX {
            seen.photos.extend(card_ids(html).into_iter().map(str::to_owned));
        }
        if seen.names.len() < REMEMBERED_MAX {
            let links = html.split("href=\"/u/").skip(1);
            let names = links.filter_map(|rest| rest.split(['"', '/', '?']).next());
            seen.names.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }

    /// A photo as addresses spell it, popular ones more often where popularity is known; none while none was seen.
    pub(super) fn photo(&self, random: &mut impl Rng) -> Option<String> {
        if let Some(population) = &self.population {
            let photo = population.choose_photo(random)?;
            return Some(encode(&population.photos[photo].id));
        }
        let seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.photos.iter().choose(random).cloned()
    }

    /// Somebody's name as addresses spell it; none while none was seen.
    pub(super) fn name(&self, random: &mut impl Rng) -> Option<String> {
        if let Some(population) = &self.population {
            let photo = population.choose_photo(random)?;
            return Some(encode(&population.photos[photo].author));
        }
        let seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.names.iter().choose(random).cloned()
    }

    /// A person to be: the next of the manifest, around again at its end; none without a manifest.
    pub(super) fn person(&self) -> Option<&Person> {
        let people = &self.population.as_ref()?.people;
        people.get(self.next_person.fetch_add(1, Ordering::Relaxed) % people.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    use super::*;

    #[test]
    fn photos_and_people_are_learned_from_pages() {
        let known = Known::new(None);
        let mut random = ChaCha12Rng::seed_from_u64(1);
        assert_eq!((known.photo(&mut random), known.name(&mut random)), (None, None));
        known.learn(r#"<article class="card" data-photo="0a"><a href="/u/ann">Ann</a></article>"#);
        assert_eq!(known.photo(&mut random).as_deref(), Some("0a"));
        assert_eq!(known.name(&mut random).as_deref(), Some("ann"));
        assert!(known.person().is_none());
    }
}
