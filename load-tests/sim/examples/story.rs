//! Tells one story: `cargo run -p sim --example story -- 42`.

#![expect(clippy::print_stdout, reason = "a tool for the one who looks into a failed seed")]

use sim::{Plan, oracle, play};

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or_default();
    let plan = Plan::from_seed(seed);
    for (who, persona) in plan.people.iter().enumerate() {
        println!("person {who}: {persona:?}");
    }
    for step in &plan.steps {
        println!("{:>8.3} s  person {}  {:?}", step.at.as_secs_f64(), step.who.0, step.act);
    }
    let (one, many) = (play(&plan, 1), play(&plan, 3));
    println!("{} packets heard of {} sent", one.heard.len(), one.sent.len());
    for complaint in oracle::judge(&plan, &one) {
        println!("one shard: {complaint}");
    }
    for complaint in oracle::judge(&plan, &many) {
        println!("three shards: {complaint}");
    }
    for complaint in oracle::differential(&one, &many) {
        println!("{complaint}");
    }
}
