use crate::PriceRow;
use crate::items::{TOOL_PRICING, price_item, price_name, read_price};
use crate::{RunRules, ToolSeed};
use platform::{InvalidSettings, Platform, StoreError, scan_all, unless_condition_failed, with_causes};
use primitives::Timestamp;
use providers::WorstCosts;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Past the profile's cache time an answer may be this old while a fresh one is being read.
const STALE_FOR: Duration = Duration::from_secs(50);

/// All price rows: the profile's, overlaid by what stands in `tool_pricing`.
///
/// An edit of the table shows after the profile's `pricing_cache_seconds` and the next request, at the latest a
/// minute after the edit. Reading it never stands between a run and its reservation, except the first time.
#[derive(Clone)]
pub(crate) struct Catalog(Arc<Inner>);

struct Inner {
    platform: Platform,
    table: String,
    seeds: Vec<PriceRow>,
    worst_costs: WorstCosts,
    fresh_for: Duration,
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone)]
struct Cached {
    rows: Arc<Vec<PriceRow>>,
    read_at: Timestamp,
    is_refreshing: bool,
}

impl Catalog {
    pub(crate) fn new(platform: &Platform) -> Result<Catalog, InvalidSettings> {
        let (worst_costs, unit) = (WorstCosts::new(platform)?, platform.profile().unit);
        let (rules, seeds) = platform.rules(|profile, settings| {
            let rules = RunRules::read(profile, settings);
            let seeds = ToolSeed::read_all(profile, settings, &worst_costs);
            Some((rules?, seeds?))
        })?;
        let seeds = seeds.iter().enumerate();
        let seeds = seeds.map(|(at, seed)| PriceRow::of_seed(seed, unit, at)).collect();
        Ok(Catalog(Arc::new(Inner {
            worst_costs,
            platform: platform.clone(),
            table: platform.table(&TOOL_PRICING),
            seeds,
            fresh_for: Duration::from_secs(rules.pricing_cache_seconds),
            cached: Mutex::new(None),
        })))
    }

    /// Every row, in order of display.
    pub(crate) async fn rows(&self, now: Timestamp) -> Result<Arc<Vec<PriceRow>>, StoreError> {
        let Some(cached) = self.usable(now) else { return self.read(now).await };
        if cached.is_refreshing {
            let catalog = self.clone();
            self.0.platform.spawn(async move {
                if let Err(error) = catalog.read(now).await {
                    tracing::warn!(
                        error = %with_causes(&error),
                        "the price table could not be read; the last prices stay"
                    );
                    catalog.forget_refreshing();
                }
            });
        }
        Ok(cached.rows)
    }

    /// The row of an option, or of the tool's default one.
    pub(crate) async fn row(
        &self,
        tool: &str,
        option: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<PriceRow>, StoreError> {
        let rows = self.rows(now).await?;
        let of_tool = rows.iter().filter(|row| row.tool == tool);
        Ok(match option {
            Some(option) => of_tool.clone().find(|row| row.option == option).cloned(),
            None => of_tool.clone().find(|row| row.is_enabled).or(of_tool.clone().next()).cloned(),
        })
    }

    /// What a step of a row costs at worst.
    pub(crate) fn worst_costs(&self) -> &WorstCosts {
        &self.0.worst_costs
    }

    /// Writes the profile's rows where the table has none; rows that were edited stay.
    pub(crate) async fn seed(&self) -> Result<(), StoreError> {
        for row in &self.0.seeds {
            let put =
                self.0.platform.dynamo().put_item().table_name(&self.0.table).set_item(Some(price_item(row)));
            let put = put.condition_expression("attribute_not_exists(tool)");
            unless_condition_failed(put.send().await)?;
        }
        Ok(())
    }

    /// What may be used now. The copy says `is_refreshing` for the one caller that has to read anew.
    fn usable(&self, now: Timestamp) -> Option<Cached> {
        let mut cached = self.0.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = cached.as_mut()?;
        let age = now.since(entry.read_at);
        if age >= self.0.fresh_for + STALE_FOR {
            return None;
        }
        let must_refresh = age >= self.0.fresh_for && !entry.is_refreshing;
        entry.is_refreshing |= must_refresh;
        Some(Cached { is_refreshing: must_refresh, ..entry.clone() })
    }

    fn forget_refreshing(&self) {
        let mut cached = self.0.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = cached.as_mut() {
            entry.is_refreshing = false;
        }
    }

    async fn read(&self, now: Timestamp) -> Result<Arc<Vec<PriceRow>>, StoreError> {
        let mut rows: BTreeMap<String, PriceRow> =
            self.0.seeds.iter().map(|row| (row.name(), row.clone())).collect();
        for item in scan_all(self.0.platform.dynamo().scan().table_name(&self.0.table)).await? {
            match read_price(&item, self.0.platform.profile().unit) {
                Ok(row) => {
                    let seed = rows.get(&row.name());
                    // A row of an older version says nothing of it.
                    let stretch =
                        row.prompt_bytes_per_unit.or(seed.and_then(|seed| seed.prompt_bytes_per_unit));
                    let each = row.amount_per_unit.or(seed.and_then(|seed| seed.amount_per_unit));
                    rows.insert(
                        row.name(),
                        PriceRow { prompt_bytes_per_unit: stretch, amount_per_unit: each, ..row },
                    );
                }
                Err(error) => {
                    let name = price_name(&item)?;
                    close(&name, rows.get_mut(&name), &error);
                }
            }
        }
        for row in rows.values_mut().filter(|row| row.is_enabled) {
            if let Err(why) = row.check_cost(&self.0.worst_costs) {
                close(&row.name(), Some(row), &why);
            }
        }
        let mut rows: Vec<PriceRow> = rows.into_values().collect();
        rows.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.name().cmp(&b.name())));
        let rows = Arc::new(rows);
        let fresh = Cached { rows: rows.clone(), read_at: now, is_refreshing: false };
        *self.0.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        Ok(rows)
    }
}

/// Takes a variant off the shelf: a row that can't be read, or would sell below its cost, sells nothing until a person
/// has mended it.
fn close(name: &str, row: Option<&mut PriceRow>, why: &dyn Error) {
    tracing::error!(
        metric = "tool_closed", tool = name, error = %with_causes(why),
        "{name} is not sold: mend its row of tool_pricing"
    );
    if let Some(row) = row {
        row.is_enabled = false;
    }
}
