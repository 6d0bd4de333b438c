//! What growth costs: every list of the API, bare and with each filter, asked by a tenant of the same size in two databases of which one
//! holds ten times as much.

use super::stocks::{Asker, Stocks, middle, token};
use super::{ms, percentile};
use anyhow::ensure;
use std::time::Instant;
use system_tests::bench::{Figure, progress};
use system_tests::lists::{self, ListRequest};
use system_tests::load::Stock;

/// In each round every list is asked so often, by turns in the one and the other database. What disturbs for some seconds meets one round.
const ROUNDS: usize = 5;
const ASKED: usize = 16;
/// Of so many tries the best one counts: what else the machine does only ever makes one longer, and it does much.
const TRIES: usize = 3;
const MOST: f64 = 1.3;

struct Side<'a> {
    stock: &'a Stock,
    asker: Asker,
    platform: String,
    requests: Vec<ListRequest>,
}

impl<'a> Side<'a> {
    async fn of(stock: &'a Stock) -> anyhow::Result<Self> {
        let asker = middle(stock).await?;
        let values = lists::values(&stock.test, asker.tenant).await?;
        Ok(Self { stock, asker, platform: token(stock, "admin", true).await?, requests: lists::requests(&values)? })
    }

    async fn ask(&self, place: usize) -> anyhow::Result<f64> {
        let ListRequest { path, platform, .. } = &self.requests[place];
        let token = if *platform { &self.platform } else { &self.asker.token };
        let mut best = f64::INFINITY;
        for _ in 0..TRIES {
            let begun = Instant::now();
            let answer = self.stock.test.call("GET", path, token, None).await;
            best = best.min(ms(begun.elapsed()));
            ensure!(answer.status.as_u16() == 200, "{path}: {}", answer.body);
        }
        Ok(best)
    }
}

pub async fn measure(stocks: &Stocks) -> anyhow::Result<Vec<Figure>> {
    let (small, large) = (Side::of(&stocks.small).await?, Side::of(&stocks.large).await?);
    let mut times = vec![[Vec::new(), Vec::new()]; small.requests.len()];
    for round in 0..=ROUNDS {
        for (place, times) in times.iter_mut().enumerate() {
            // The first round warms both up.
            for n in 0..if round == 0 { ASKED / 4 } else { 2 * ASKED } {
                let side = (n + round) % 2;
                let took = if side == 0 { &small } else { &large }.ask(place).await?;
                if round > 0 {
                    times[side].push(took);
                }
            }
        }
    }
    let mut ratios: Vec<(String, f64, f64)> = std::iter::zip(&small.requests, times)
        .map(|(request, [mut small, mut large])| (request.name.clone(), percentile(&mut large, 95), percentile(&mut small, 95)))
        .collect();
    ratios.sort_by(|a, b| (b.1 / b.2).total_cmp(&(a.1 / a.2)));
    for (name, large, small) in &ratios {
        progress(&format!("{:>5.2}  {large:7.2} ms beside {small:7.2} ms  {name}", large / small));
    }
    let over = ratios.iter().filter(|(_, large, small)| large / small > MOST).count();
    let middle = &ratios[ratios.len() / 2];
    let figure = |what: String, (_, large, small): &(String, f64, f64)| {
        Figure::new(what, *large, "ms").beside("a tenth of the data", Some(*small)).at_most(MOST)
    };
    let count = ratios.len();
    progress(&format!("{over} of {count} lists are over {MOST}"));
    let worst = ratios
        .iter()
        .take(3)
        .enumerate()
        .map(|(place, worst)| figure(format!("p95 of list {} of {count} by growth: {}", place + 1, worst.0), worst));
    Ok(worst.chain([figure(format!("p95 of the list in the middle of {count}: {}", middle.0), middle)]).collect())
}
