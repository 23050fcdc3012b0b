//! What was measured, what it costs, and which sizes are best for what.

use hearth_whatif::Prices;
use serde_json::{Value, json};

use crate::table::{Column, Table};
use crate::words::visible;

/// Sizes within this of the best one are as good: the smallest is taken.
const AS_GOOD: f64 = 1.02;

/// What was measured at a size, or why it failed there.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) memory_mb: u32,
    pub(super) measured: Result<Measured, String>,
}

/// Of the warm calls; of the cold ones if there was no other.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) durations_ms: Vec<f64>,
    pub(super) billed_ms: Vec<f64>,
    pub(super) inits_ms: Vec<f64>,
    pub(super) cold_calls: u64,
    pub(super) max_memory_used_mb: u64,
}

/// A size with what follows.
#[derive(Debug)]
struct Row {
    memory_mb: u32,
    result: Result<Figures, String>,
}

#[derive(Debug)]
struct Figures {
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    init_ms: Option<f64>,
    cold_calls: u64,
    max_memory_used_mb: u64,
    cost_per_million: f64,
}

/// All sizes, and the best.
#[derive(Debug)]
pub(super) struct Report {
    function_name: String,
    calls: u32,
    rows: Vec<Row>,
    is_cpu_limited: bool,
}

/// Sizes that are best for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choices {
    cheapest: u32,
    fastest: u32,
    balanced: u32,
}

impl Report {
    pub(super) fn new(
        function_name: &str,
        calls: u32,
        sizes: Vec<Size>,
        prices: &Prices,
        is_cpu_limited: bool,
    ) -> Self {
        let row = |Size { memory_mb, measured }: Size| Row {
            memory_mb,
            result: measured.map(|measured| figures(measured, memory_mb, prices)),
        };
        let rows = sizes.into_iter().map(row).collect();
        Self { function_name: function_name.to_owned(), calls, rows, is_cpu_limited }
    }

    /// Whether there is a size at which the function does what it should.
    pub(super) fn succeeded(&self) -> bool {
        self.choices().is_some()
    }

    /// A size at which the function fails is never one of them.
    fn choices(&self) -> Option<Choices> {
        let sound: Vec<(u32, &Figures)> =
            self.rows.iter().filter_map(|row| Some((row.memory_mb, row.result.as_ref().ok()?))).collect();
        let most = |of: fn(&Figures) -> f64| sound.iter().map(|(_, figures)| of(figures)).fold(0.0, f64::max);
        let (slowest, dearest) = (most(|it| it.mean_ms), most(|it| it.cost_per_million));
        let part = |value: f64, of: f64| if of > 0.0 { value / of } else { 0.0 };
        let smallest_of_best = |of: &dyn Fn(&Figures) -> f64| {
            let best = sound.iter().map(|(_, figures)| of(figures)).fold(f64::INFINITY, f64::min);
            sound.iter().find(|(_, figures)| of(figures) <= best * AS_GOOD).map(|(memory_mb, _)| *memory_mb)
        };
        Some(Choices {
            cheapest: smallest_of_best(&|it| it.cost_per_million)?,
            fastest: smallest_of_best(&|it| it.mean_ms)?,
            balanced: smallest_of_best(&|it| {
                part(it.mean_ms, slowest) / 2.0 + part(it.cost_per_million, dearest) / 2.0
            })?,
        })
    }

    pub(super) fn json(&self) -> Value {
        let row = |Row { memory_mb, result }: &Row| match result {
            Ok(it) => json!({
                "memory_mb": memory_mb,
                "failed": null,
                "duration_ms": { "mean": it.mean_ms, "p50": it.p50_ms, "p95": it.p95_ms },
                "init_ms": it.init_ms,
                "cold_calls": it.cold_calls,
                "max_memory_used_mb": it.max_memory_used_mb,
                "cost_per_million_calls_usd": it.cost_per_million,
            }),
            Err(why) => json!({ "memory_mb": memory_mb, "failed": why }),
        };
        let choices = self.choices().map(|choices| {
            json!({
                "cheapest_mb": choices.cheapest,
                "fastest_mb": choices.fastest,
                "balanced_mb": choices.balanced,
            })
        });
        json!({
            "function_name": self.function_name,
            "calls": self.calls,
            "cpu_by_memory": self.is_cpu_limited,
            "sizes": self.rows.iter().map(row).collect::<Vec<Value>>(),
            "choices": choices,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut table = Table::new([
            Column::Right("Memory"),
            Column::Right("Mean"),
            Column::Right("p50"),
            Column::Right("p95"),
            Column::Right("Init"),
            Column::Right("Max Memory Used"),
            Column::Right("1M calls"),
            Column::Left(""),
        ]);
        let choices = self.choices();
        let ms = |ms: f64| format!("{ms:.2} ms");
        let nothing = || "–".to_owned();
        for Row { memory_mb, result } in &self.rows {
            let memory = format!("{memory_mb} MB");
            table.row(match result {
                Ok(it) => [
                    memory,
                    ms(it.mean_ms),
                    ms(it.p50_ms),
                    ms(it.p95_ms),
                    it.init_ms.map_or_else(nothing, ms),
                    format!("{} MB", it.max_memory_used_mb),
                    format!("${:.2}", it.cost_per_million),
                    choices.map(|choices| choices.of(*memory_mb)).unwrap_or_default(),
                ],
                Err(why) => [
                    memory,
                    nothing(),
                    nothing(),
                    nothing(),
                    nothing(),
                    nothing(),
                    nothing(),
                    format!("failed: {}", visible(why).replace('\n', " ")),
                ],
            });
        }
        let mut text = format!("{}: {} calls at each size\n\n", self.function_name, self.calls);
        text.push_str(&table.render());
        text.push_str(&match choices {
            Some(Choices { cheapest, fastest, balanced }) => {
                format!("\nCheapest: {cheapest} MB. Fastest: {fastest} MB. Balanced: {balanced} MB.\n")
            }
            None => "\nIt fails at every size.\n".to_owned(),
        });
        text.push_str(
            "Durations and costs are of warm calls; costs are an estimate by AWS's list prices, without what is free each \
             month. Of sizes within 2 % of each other the smallest is chosen.\n",
        );
        if !self.is_cpu_limited {
            text.push_str(
                "This server does not limit the CPU by memory (`GET /_hearth/isolation` says why): durations at small sizes \
                 are shorter than they would be.\n",
            );
        }
        text
    }
}

impl Choices {
    /// What a size is best for.
    fn of(self, memory_mb: u32) -> String {
        let all = [("cheapest", self.cheapest), ("fastest", self.fastest), ("balanced", self.balanced)];
        let words = all.iter().filter(|(_, of)| *of == memory_mb).map(|(word, _)| *word);
        words.collect::<Vec<_>>().join(", ")
    }
}

fn figures(measured: Measured, memory_mb: u32, prices: &Prices) -> Figures {
    let Measured { mut durations_ms, billed_ms, inits_ms, cold_calls, max_memory_used_mb } = measured;
    durations_ms.sort_by(f64::total_cmp);
    Figures {
        mean_ms: mean(&durations_ms).unwrap_or_default(),
        p50_ms: percentile(&durations_ms, 50),
        p95_ms: percentile(&durations_ms, 95),
        init_ms: mean(&inits_ms),
        cold_calls,
        max_memory_used_mb,
        cost_per_million: prices.of_calls(1e6, mean(&billed_ms).unwrap_or_default(), memory_mb),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The smallest value that at least so many of a hundred do not exceed; `sorted` ascends.
fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    let at = (sorted.len() * of_hundred).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Those of x86_64 in us-east-1, of 2026-11.
    const PRICES: Prices = Prices {
        gb_second: 0.000_016_666_7,
        gb_second_on_provisioned: 0.000_009_722_2,
        gb_second_provisioned: 0.000_004_166_7,
        request: 0.000_000_2,
    };

    fn size(memory_mb: u32, durations_ms: &[f64]) -> Size {
        let measured = Measured {
            durations_ms: durations_ms.to_vec(),
            billed_ms: durations_ms.iter().map(|ms| ms.ceil()).collect(),
            inits_ms: vec![100.0, 120.0],
            cold_calls: 2,
            max_memory_used_mb: 40,
        };
        Size { memory_mb, measured: Ok(measured) }
    }

    fn report(sizes: Vec<Size>) -> Report {
        Report::new("greeter", 5, sizes, &PRICES, true)
    }

    #[test]
    fn the_table_says_what_each_size_takes_and_what_it_is_best_for() {
        let failed = Size { memory_mb: 128, measured: Err("Runtime.OutOfMemory\u{1b}[2J".to_owned()) };
        let sizes = vec![
            failed,
            size(256, &[800.0, 700.5, 900.0]),
            size(512, &[400.0, 390.0, 420.0]),
            size(1_024, &[200.0, 195.0, 205.0]),
            size(1_769, &[120.0, 118.0, 119.0]),
            size(3_008, &[119.0, 118.0, 120.0]),
        ];
        expect![[r#"
            greeter: 5 calls at each size

             Memory       Mean        p50        p95       Init  Max Memory Used  1M calls
             128 MB          –          –          –          –                –         –  failed: Runtime.OutOfMemory�[2J
             256 MB  800.17 ms  800.00 ms  900.00 ms  110.00 ms            40 MB     $3.53  cheapest
             512 MB  403.33 ms  400.00 ms  420.00 ms  110.00 ms            40 MB     $3.56
            1024 MB  200.00 ms  200.00 ms  205.00 ms  110.00 ms            40 MB     $3.53
            1769 MB  119.00 ms  119.00 ms  120.00 ms  110.00 ms            40 MB     $3.63  fastest, balanced
            3008 MB  119.00 ms  119.00 ms  120.00 ms  110.00 ms            40 MB     $6.03

            Cheapest: 256 MB. Fastest: 1769 MB. Balanced: 1769 MB.
            Durations and costs are of warm calls; costs are an estimate by AWS's list prices, without what is free each month. Of sizes within 2 % of each other the smallest is chosen.
        "#]].assert_eq(&report(sizes).text());
    }

    #[test]
    fn a_function_that_waits_is_cheapest_and_as_fast_at_the_smallest_size() {
        let sizes = vec![size(128, &[200.3]), size(1_024, &[200.1]), size(3_008, &[199.9])];
        let expected = Choices { cheapest: 128, fastest: 128, balanced: 128 };
        assert_eq!(report(sizes).choices(), Some(expected));
    }

    #[test]
    fn a_size_that_fails_is_never_a_choice() {
        let failed = |memory_mb| Size { memory_mb, measured: Err("timed out".to_owned()) };
        let one = report(vec![failed(128), size(512, &[10.0]), failed(1_024)]);
        let expected = Choices { cheapest: 512, fastest: 512, balanced: 512 };
        assert_eq!(one.choices(), Some(expected));
        let none = report(vec![failed(128)]);
        assert!(!none.succeeded());
        assert_eq!(none.json()["choices"], Value::Null);
        assert!(none.text().contains("It fails at every size."));
    }

    #[test]
    fn half_of_the_values_do_not_exceed_the_median() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 50), 2.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 95), 4.0);
        assert_eq!(percentile(&[7.0], 50), 7.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }
}
