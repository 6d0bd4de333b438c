//! Goal: the bench of far routers measures what it says. Method: it is run small, as a program; what it finds of time means nothing then,
//! but it fails by itself when a second pass writes, a write is lost or a customer's change does not arrive.

use serde_json::Value;
use std::process::Command;
use system_tests::judges;

#[tokio::test]
async fn the_bench_of_far_routers_measures_what_it_says() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench-push"));
    bench.env("MASTWIRE_BENCH_QUICK", "1");
    let printed = tokio::task::spawn_blocking(move || judges::run(&mut bench)).await.expect("it ends").expect("it works");
    let figures: Vec<Value> = serde_json::from_str(&printed).expect("a list of figures");
    let of = |what: &str| {
        let found = figures.iter().find(|figure| figure["what"].as_str().is_some_and(|text| text.starts_with(what)));
        found.unwrap_or_else(|| panic!("{what} in {printed}"))
    };
    let targets = [
        "150 secrets added and read back, 100 ms",
        "round trips of a second pass",
        "round trips of a change until applied",
        "round trips of a change until read back",
        "1000 secrets planned",
        "memory above idle while 300 secrets are written",
    ];
    for what in targets {
        let figure = of(what);
        assert!(figure["value"].as_f64().is_some_and(f64::is_finite), "{figure}");
        let beside_librouteros = what.starts_with("150");
        assert!(beside_librouteros || figure["target"].is_string(), "{figure}");
    }
    for line in [1, 100, 300] {
        let figure = of(&format!("150 secrets added and read back, {line} ms"));
        let least = 0.150 + f64::from(line) * 2e-3;
        assert!(
            figure["value"].as_f64().is_some_and(|seconds| seconds > least),
            "the line and the router take their time: {figure}"
        );
    }
}
