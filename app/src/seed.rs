//! A reproducible population: people who follow, post, like and comment with a skew, as on real sites, over a few dozen painted
//! landscapes. The same options give the same rows, ids and manifest, whatever the store.
//!
//! `seed::population` draws the rows, `seed::words` the names and texts, `seed::pictures` paints and stores. Assets come before
//! rows: what a page lists can be shown. The manifest tells the load generator who and what there is.

mod pictures;
mod population;
mod words;

use std::path::Path;

use serde::Serialize;

use crate::assets::{AssetError, AssetKey, Assets, RENDITION_WIDTHS};
use crate::imaging::ImagingError;
use crate::model::{Feed, PhotoId, RenditionFormat, RenditionFormats, UserId, VersionId};
use crate::password::{self, PasswordError};
use crate::session::{COOKIE_NAME, SessionError, Sessions, Viewer};
use crate::store::{Population, Store, StoreError};

/// The version of the manifest.
pub const MANIFEST_SCHEMA: &str = "lightmeter/population/1";
/// The password of everybody who was seeded.
pub const PASSWORD: &str = "lightmeter-demo";
/// People whose session cookie stands in the manifest; loads need no more at once.
const COOKIES_MAX: usize = 500;
/// Half of the salt of the shared password; the other half is the seed.
const SALT: u64 = u64::from_le_bytes(*b"lightmtr");

/// What to make.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedOptions {
    /// People; at least 2.
    pub people: u32,
    /// Photo rows.
    pub photos: u32,
    /// Different pictures behind them; at least 1 if there are photos.
    pub pictures: u32,
    /// People that a person follows, on average.
    pub follows_mean: f64,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Widths of the ladder that are stored. Pages link to the whole ladder, so leave it whole where images are loaded.
    pub widths: Vec<u32>,
    /// The file formats of each width.
    pub formats: RenditionFormats,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self {
            people: 1_000,
            photos: 10_000,
            pictures: 36,
            follows_mean: 20.0,
            seed: 1,
            widths: RENDITION_WIDTHS.to_vec(),
            formats: RenditionFormats::JpegWebp,
        }
    }
}

impl SeedOptions {
    /// All mistakes in one text, one per line.
    fn check(&self) -> Result<(), SeedError> {
        let mut mistakes = Vec::new();
        if !(2..=1_000_000).contains(&self.people) {
            mistakes.push(format!("people is {}: use 2 to 1,000,000", self.people));
        }
        if self.photos > 10_000_000 {
            mistakes.push(format!("photos is {}: use at most 10,000,000", self.photos));
        }
        if self.photos > 0 && !(1..=1_000).contains(&self.pictures) {
            mistakes.push(format!("pictures is {}: use 1 to 1,000", self.pictures));
        }
        if !(0.0..=f64::from(self.people) / 2.0).contains(&self.follows_mean) {
            let most = self.people / 2;
            mistakes.push(format!("follows-mean is {}: use 0 to {most}", self.follows_mean));
        }
        if mistakes.is_empty() { Ok(()) } else { Err(SeedError::Options(mistakes.join("\n"))) }
    }
}

/// Why there is no population.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The options do not fit.
    #[error("the seed's options do not fit:\n{0}")]
    Options(String),
    /// Somebody or something is there already.
    #[error("the store is not empty: seed a new one, or remove this one first")]
    NotEmpty,
    /// The store did not take the rows.
    #[error("the population could not be written")]
    Store(#[from] StoreError),
    /// The asset store did not take the pictures.
    #[error("the pictures could not be stored")]
    Assets(#[from] AssetError),
    /// A picture could not be made.
    #[error("a picture could not be painted")]
    Picture(#[from] ImagingError),
    /// The shared password could not be hashed.
    #[error("the password could not be hashed")]
    Password(#[from] PasswordError),
    /// The sessions of the manifest could not be started.
    #[error("the sessions could not be started")]
    Sessions(#[from] SessionError),
    /// The manifest could not be written.
    #[error("the manifest {path} could not be written")]
    Manifest {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// A person in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestPerson {
    /// The identity.
    pub id: UserId,
    /// The name in URLs.
    pub name: String,
    /// The password, the same for all.
    pub password: &'static str,
    /// A ready session for the first few hundred, as the Cookie header wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// People this person follows.
    pub following_count: i64,
}

/// A photo in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestPhoto {
    /// The identity.
    pub id: PhotoId,
    /// The author's name.
    pub author: String,
}

/// What was made, for the load generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA`].
    pub schema: &'static str,
    /// The seed.
    pub seed: u64,
    /// Everybody, the most active first.
    pub people: Vec<ManifestPerson>,
    /// All photos, the most popular first, the newer first among equals.
    pub photos: Vec<ManifestPhoto>,
    /// Where pages take renditions from: the part of their addresses before `renditions/`.
    pub assets_public: String,
}

impl Manifest {
    /// Writes it as JSON, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), SeedError> {
        let failed = |source| SeedError::Manifest { path: path.display().to_string(), source };
        let text = serde_json::to_vec(self).expect("a manifest is JSON");
        let part = path.with_extension("part");
        std::fs::write(&part, text).map_err(failed)?;
        std::fs::rename(&part, path).map_err(failed)
    }
}

/// Fills an empty store. `sessions` starts those of the manifest; none where a session does not outlive its process.
pub async fn seed(
    options: &SeedOptions,
    store: &dyn Store,
    assets: &dyn Assets,
    sessions: Option<&dyn Sessions>,
) -> Result<Manifest, SeedError> {
    options.check()?;
    let anybody = store.search_users("", 1).await?;
    let anything = store.photo_page(Feed::Explore, None, None, 1).await?;
    if !anybody.is_empty() || !anything.items.is_empty() {
        return Err(SeedError::NotEmpty);
    }
    // One argon2id hash for all: a thousand of them would take half a minute.
    let hash = password::hash_now(PASSWORD, [options.seed, SALT])?;
    let drawn = population::draw(options, &hash);
    let album = pictures::paint_all(options).await?;
    pictures::store_all(&album, &drawn, assets).await?;
    store.load(&drawn.population).await?;
    let mut manifest = manifest(options, &drawn, assets);
    if let Some(sessions) = sessions {
        let users = drawn.population.users.iter().take(COOKIES_MAX);
        for (person, user) in manifest.people.iter_mut().zip(users) {
            let session = sessions.start(&Viewer::from(user)).await?;
            person.cookie = Some(format!("{COOKIE_NAME}={session}"));
        }
    }
    Ok(manifest)
}

/// Only the rows of a population, without pictures, assets or sessions: what a bench of the store needs. Everybody has an
/// empty password hash, so nobody can log in.
pub fn draw_rows(options: &SeedOptions) -> Result<Population, SeedError> {
    options.check()?;
    Ok(population::draw(options, "").population)
}

fn manifest(options: &SeedOptions, drawn: &population::Drawn, assets: &dyn Assets) -> Manifest {
    let users = &drawn.population.users;
    let people = users.iter().map(|user| ManifestPerson {
        id: user.id,
        name: user.name.clone(),
        password: PASSWORD,
        cookie: None,
        following_count: user.following_count,
    });
    let mut photos: Vec<_> = drawn.population.photos.iter().map(|(photo, _)| photo).collect();
    photos.sort_by_key(|photo| std::cmp::Reverse((photo.like_count, photo.id)));
    let names: std::collections::HashMap<_, _> =
        users.iter().map(|user| (user.id, &user.name)).collect();
    let photos = photos
        .into_iter()
        .map(|photo| ManifestPhoto { id: photo.id, author: names[&photo.author].clone() });
    let (photo, version, format) = (PhotoId(0), VersionId(0), RenditionFormat::Jpeg);
    let any = AssetKey::Rendition { photo, version, width: 320, format };
    let url = assets.public_url(&any);
    Manifest {
        schema: MANIFEST_SCHEMA,
        seed: options.seed,
        people: people.collect(),
        photos: photos.collect(),
        assets_public: url.strip_suffix(&any.path()).unwrap_or(&url).to_owned(),
    }
}

#[cfg(test)]
mod tests;
