//! How far a replica is behind its primary, counted in transactions, from what the two servers say about themselves.
//!
//! MariaDB and MySQL both number transactions (GTIDs) and write them differently: MariaDB names the last one of each domain
//! (`0-1-120`), MySQL every one that was carried out, as intervals per server (`3E11...562:1-5:7`). Texts to numbers only;
//! `mysql_parts` asks the servers, `replicated` tells the outcome as a fact.

use std::collections::BTreeMap;

/// Whose texts these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// MariaDB.
    MariaDb,
    /// MySQL, that of RDS included.
    Mysql,
}

impl ServerKind {
    /// From `SELECT VERSION()`: MariaDB says its name there (`10.11.6-MariaDB-0+deb12u1`), MySQL does not (`8.4.3`).
    pub fn of_version(version: &str) -> Self {
        if version.contains("MariaDB") { Self::MariaDb } else { Self::Mysql }
    }
}

/// How far a server has come, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub kind: ServerKind,
    pub text: String,
}

impl Position {
    /// How many transactions of this position, a primary's, the replica's lacks.
    pub fn ahead_of(&self, replica: &Position) -> Result<u64, GtidError> {
        match (self.kind, replica.kind) {
            (ServerKind::MariaDb, ServerKind::MariaDb) => {
                Ok(domains_behind(&domains(&self.text)?, &domains(&replica.text)?))
            }
            (ServerKind::Mysql, ServerKind::Mysql) => {
                Ok(lacking(&executed(&self.text)?, &executed(&replica.text)?))
            }
            // Their numbers have nothing in common.
            (ServerKind::MariaDb, ServerKind::Mysql) | (ServerKind::Mysql, ServerKind::MariaDb) => {
                Err(GtidError::at(&replica.text))
            }
        }
    }
}

/// A text that is no position, or the position of another kind of server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is no part of a replication position")]
pub(crate) struct GtidError {
    part: String,
}

impl GtidError {
    fn at(part: &str) -> Self {
        Self { part: part.to_owned() }
    }
}

/// MariaDB, `domain-server-number` separated by commas: the last number of each domain.
fn domains(text: &str) -> Result<BTreeMap<u32, u64>, GtidError> {
    let gtids = text.split(',').map(str::trim).filter(|gtid| !gtid.is_empty());
    let read = |gtid: &str| -> Option<(u32, u64)> {
        let mut parts = gtid.splitn(3, '-');
        let domain = parts.next()?.parse().ok()?;
        let _server: u32 = parts.next()?.parse().ok()?;
        Some((domain, parts.next()?.parse().ok()?))
    };
    gtids.map(|gtid| read(gtid).ok_or_else(|| GtidError::at(gtid))).collect()
}

/// A domain that the replica has not begun counts whole.
fn domains_behind(primary: &BTreeMap<u32, u64>, replica: &BTreeMap<u32, u64>) -> u64 {
    let behind = primary
        .iter()
        .map(|(domain, number)| number.saturating_sub(replica.get(domain).copied().unwrap_or(0)));
    behind.fold(0, u64::saturating_add)
}

/// First and last number, both included; sorted, and no two of a list meet.
type Intervals = Vec<(u64, u64)>;
/// What a MySQL server carried out: per source (`uuid` or, since 8.3, `uuid:tag`), both in lower case.
type Executed = BTreeMap<String, Intervals>;

/// MySQL, `uuid:[tag:]interval[:interval]...` separated by commas, with a line break after each comma. A tag holds for the
/// intervals up to the next one.
fn executed(text: &str) -> Result<Executed, GtidError> {
    let mut sets = Executed::new();
    for set in text.split(',').map(str::trim).filter(|set| !set.is_empty()) {
        let (uuid, rest) = set.split_once(':').ok_or_else(|| GtidError::at(set))?;
        let uuid = uuid.trim().to_ascii_lowercase();
        if !is_uuid(&uuid) {
            return Err(GtidError::at(set));
        }
        let mut source = uuid.clone();
        for part in rest.split(':').map(str::trim) {
            if is_tag(part) {
                source = format!("{uuid}:{}", part.to_ascii_lowercase());
            } else {
                let interval = interval(part).ok_or_else(|| GtidError::at(part))?;
                sets.entry(source.clone()).or_default().push(interval);
            }
        }
    }
    for intervals in sets.values_mut() {
        *intervals = merged(std::mem::take(intervals));
    }
    Ok(sets)
}

/// 32 hexadecimal digits in five groups.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A letter or underscore, then up to 31 letters, digits and underscores: never an interval.
fn is_tag(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `7` or `1-5`; numbers begin at 1.
fn interval(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1 <= first && first <= last && last < u64::MAX).then_some((first, last))
}

/// Servers write them sorted and apart; a count must not depend on it.
fn merged(mut intervals: Intervals) -> Intervals {
    intervals.sort_unstable();
    let mut apart = Intervals::with_capacity(intervals.len());
    for (first, last) in intervals {
        match apart.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = (*end).max(last),
            _ => apart.push((first, last)),
        }
    }
    apart
}

/// What the primary carried out, less what of it the replica did too.
fn lacking(primary: &Executed, replica: &Executed) -> u64 {
    let none = Intervals::new();
    let sources = primary.iter().map(|(source, theirs)| {
        let own = replica.get(source).unwrap_or(&none);
        count(theirs).saturating_sub(count_of_both(theirs, own))
    });
    sources.fold(0, u64::saturating_add)
}

fn count(intervals: &Intervals) -> u64 {
    intervals.iter().map(|(first, last)| last - first + 1).fold(0, u64::saturating_add)
}

/// How many numbers stand in both lists: one walk along the two.
fn count_of_both(left: &Intervals, right: &Intervals) -> u64 {
    let (mut l, mut r, mut both) = (0, 0, 0_u64);
    while let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
        let (first, last) = (a.0.max(b.0), a.1.min(b.1));
        if first <= last {
            both = both.saturating_add(last - first + 1);
        }
        if a.1 < b.1 { l += 1 } else { r += 1 }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "3E11FA47-71CA-11E1-9E33-C80AA9429562";
    const TWO: &str = "2174b383-5441-11e8-b90a-c80aa9429562";

    fn behind(kind: ServerKind, primary: &str, replica: &str) -> Result<u64, GtidError> {
        let at = |text: &str| Position { kind, text: text.to_owned() };
        at(primary).ahead_of(&at(replica))
    }

    fn mysql(primary: &str, replica: &str) -> Result<u64, GtidError> {
        behind(ServerKind::Mysql, primary, replica)
    }

    #[test]
    fn the_version_says_who_it_is() {
        let kinds =
            ["10.11.6-MariaDB-0+deb12u1-log", "5.5.5-10.4.8-MariaDB", "8.4.3", "8.0.35-rds.1"]
                .map(ServerKind::of_version);
        use ServerKind::{MariaDb, Mysql};
        assert_eq!(kinds, [MariaDb, MariaDb, Mysql, Mysql]);
    }

    #[test]
    fn mariadb_counts_what_was_written_and_not_replayed() {
        let behind = |primary: &str, replica: &str| behind(ServerKind::MariaDb, primary, replica);
        assert_eq!(behind("0-1-120", "0-1-100"), Ok(20));
        assert_eq!(behind("0-1-120", "0-1-120"), Ok(0));
        assert_eq!(behind("0-1-120", "0-1-125"), Ok(0), "read a moment later");
        assert_eq!(behind("0-1-120,7-2-5", "0-1-119"), Ok(6));
        assert_eq!(behind("", ""), Ok(0));
        assert!(behind("0-1", "").is_err(), "not a zero: nobody knows");
        let mariadb = Position { kind: ServerKind::MariaDb, text: "0-1-5".to_owned() };
        let mysql = Position { kind: ServerKind::Mysql, text: format!("{ONE}:1-5") };
        assert!(mariadb.ahead_of(&mysql).is_err() && mysql.ahead_of(&mariadb).is_err());
    }

    #[test]
    fn mysql_counts_what_the_replica_lacks() {
        assert_eq!(mysql(&format!("{ONE}:1-120"), &format!("{ONE}:1-100")), Ok(20));
        assert_eq!(mysql(&format!("{ONE}:1-120"), &format!("{ONE}:1-125")), Ok(0), "read later");
        assert_eq!(mysql(&format!("{ONE}:23"), ""), Ok(1), "one number is an interval too");
        assert_eq!(mysql("", ""), Ok(0));
        // Gaps on either side: 6 and 11-18 are lacking, 30 and 41-43 are nothing to the primary.
        let (primary, replica) =
            (format!("{ONE}:1-3:5-18:25"), format!("{ONE}:1-5:7-10:25:30:41-43"));
        assert_eq!(mysql(&primary, &replica), Ok(9));
    }

    #[test]
    fn several_servers_line_breaks_and_letters_of_either_case() {
        let primary = format!("{TWO}:1-3,\n{ONE}:1-3:11:47-49");
        let replica = format!("{},\n{}:1-3", ONE.to_lowercase() + ":1-3:11", TWO.to_uppercase());
        assert_eq!(mysql(&primary, &replica), Ok(3));
        // A replica that took writes of its own has more, which takes nothing off.
        assert_eq!(mysql(&format!("{ONE}:1-9"), &format!("{TWO}:1-99,\n{ONE}:1-8")), Ok(1));
        // As the manual allows to write it: unsorted, meeting, a server twice.
        assert_eq!(mysql(&format!("{ONE}:7-9:1-4:3-6 , {ONE}:10"), &format!("{ONE}:10")), Ok(9));
    }

    #[test]
    fn tagged_transactions_are_numbered_apart() {
        let primary = format!("{ONE}:1-5:domain_1:1-3:15-21:_two:8-52");
        assert_eq!(mysql(&primary, &format!("{ONE}:1-5:DOMAIN_1:1-3:15-21:_two:8-52")), Ok(0));
        assert_eq!(mysql(&primary, &format!("{ONE}:1-5:domain_1:1-3:15-20")), Ok(1 + 45));
        assert_eq!(mysql(&primary, &format!("{ONE}:1-5")), Ok(10 + 45));
    }

    #[test]
    fn what_is_no_position_is_told_and_not_counted_as_none() {
        for text in [
            "0-1-120",
            ONE,
            "3E11FA47:1-5",
            &format!("{ONE}:"),
            &format!("{ONE}:0-5"),
            &format!("{ONE}:5-1"),
            &format!("{ONE}:1-5:9-"),
            &format!("{ONE}:1-18446744073709551615"),
        ] {
            assert!(mysql(text, "").is_err(), "{text}");
        }
    }
}
