//! The price list: reports/prices/us-east-1.toml, compiled in. Dated, with a source for each line; a price that is not on the list
//! is a mistake to be told, never a zero.

use serde::Deserialize;

const TEXT: &str = include_str!("../../../reports/prices/us-east-1.toml");
/// As AWS reckons: 365 x 24 / 12.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// A price list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where they hold.
    pub region: String,
    /// When they were written down, year and month.
    pub as_of: String,
    /// The lines.
    pub price: Vec<Price>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// `ec2 t3.small`.
    pub item: String,
    /// US dollars.
    pub usd: f64,
    /// For what.
    pub unit: Unit,
    /// The page it is from.
    pub source: String,
}

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Unit {
    /// An hour of one.
    #[serde(rename = "hour")]
    Hour,
    /// A month of one.
    #[serde(rename = "month")]
    Month,
    /// A month of a GiB.
    #[serde(rename = "GiB-month")]
    GibMonth,
    /// A GB moved.
    #[serde(rename = "GB")]
    Gb,
    /// A month of a GB stored.
    #[serde(rename = "GB-month")]
    GbMonth,
    /// A balancer's unit of capacity for an hour.
    #[serde(rename = "LCU-hour")]
    LcuHour,
    /// An hour of one core beyond the credits that were earned.
    #[serde(rename = "vCPU-hour")]
    VcpuHour,
    /// A million requests.
    #[serde(rename = "million")]
    Million,
}

impl Unit {
    /// In words, after a slash.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Month => "month",
            Self::GibMonth => "GiB-month",
            Self::Gb => "GB",
            Self::GbMonth => "GB-month",
            Self::LcuHour => "LCU-hour",
            Self::VcpuHour => "vCPU-hour",
            Self::Million => "million",
        }
    }
}

impl Prices {
    /// The list that comes with the program.
    pub fn embedded() -> anyhow::Result<Prices> {
        use anyhow::Context;
        toml::from_str(TEXT).context("reports/prices/us-east-1.toml is not a price list")
    }

    /// A line of the list.
    pub fn get(&self, item: &str) -> anyhow::Result<&Price> {
        let found = self.price.iter().find(|price| price.item == item);
        found.ok_or_else(|| {
            let kind = item.split(' ').next().unwrap_or_default();
            let near = self.price.iter().filter(|price| price.item.starts_with(kind));
            let near: Vec<&str> = near.map(|price| price.item.as_str()).collect();
            anyhow::anyhow!(
                "no price of `{item}` in reports/prices/{}.toml (known: {}): add a line with its source",
                self.region,
                near.join(", ")
            )
        })
    }
}

impl Price {
    /// Dollars for an hour of `quantity`; none for what is paid by use.
    pub fn hourly(&self, quantity: f64) -> Option<f64> {
        match self.unit {
            Unit::Hour => Some(self.usd * quantity),
            Unit::Month | Unit::GibMonth => Some(self.usd * quantity / HOURS_PER_MONTH),
            Unit::Gb | Unit::GbMonth | Unit::LcuHour | Unit::VcpuHour | Unit::Million => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_source_and_no_item_stands_twice() {
        let prices = Prices::embedded().expect("a price list");
        let mut items: Vec<&str> = prices.price.iter().map(|price| price.item.as_str()).collect();
        items.sort_unstable();
        assert!(items.windows(2).all(|pair| pair[0] != pair[1]), "{items:?}");
        for price in &prices.price {
            let page = price.source.starts_with("https://aws.amazon.com/");
            assert!(page && price.usd > 0.0 && price.usd < 10.0, "{price:?}");
        }
        assert_eq!(prices.as_of.len(), "2026-06".len());
    }

    #[test]
    fn a_missing_price_is_told_with_its_neighbours() {
        let prices = Prices::embedded().expect("a price list");
        let error = prices.get("ec2 p5.48xlarge").expect_err("not on the list").to_string();
        assert!(error.contains("ec2 t3.small") && !error.contains("rds"), "{error}");
    }
}
