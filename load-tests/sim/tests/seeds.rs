//! Committed seeds: every story ends well, always in the same way, on one shard as on three.

use sim::{Act, LinkEvent, Plan, Recording, Told, oracle, play};

/// Stories of every check. A sweep takes more; a seed that found something joins these by number.
const SEEDS: u64 = 200;
/// Found by a sweep: a wish lost with its socket (323, 351, 724, 1004, 1122).
const PROMOTED: [u64; 5] = [323, 351, 724, 1004, 1122];

/// Stories with outages, which are three times as long.
const SEEDS_WITH_OUTAGES: u64 = 40;

/// Stories in which rooms are granted anew.
const SEEDS_WITH_GRANTS: u64 = 60;

fn complaints_about(seed: u64, plan: &Plan) -> Vec<String> {
    judge(seed, plan).0
}

/// What the oracles say of a story, and how many packets were heard in it.
fn judge(seed: u64, plan: &Plan) -> (Vec<String>, usize) {
    let one = play(plan, 1);
    let many = play(plan, 3);
    let mut complaints = oracle::judge(plan, &one);
    complaints.extend(oracle::judge(plan, &many));
    complaints.extend(oracle::differential(&one, &many));
    let said = complaints.iter().take(8).map(|complaint| format!("seed {seed}: {complaint}"));
    (said.collect(), one.heard.len() + many.heard.len())
}

/// Threat M9 among others: of a million packets that were heard, none was another room's or under
/// another's name.
#[test]
fn every_story_ends_well() {
    let stories = (0..SEEDS).chain(PROMOTED);
    let judged: Vec<_> = stories.map(|seed| judge(seed, &Plan::from_seed(seed))).collect();
    let complaints: Vec<_> =
        judged.iter().flat_map(|(complaints, _)| complaints).take(40).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let heard: usize = judged.iter().map(|(_, heard)| heard).sum();
    assert!(heard > 1_000_000, "only {heard} were heard");
}

#[test]
fn every_story_with_outages_ends_well() {
    let complaints: Vec<String> = (0..SEEDS_WITH_OUTAGES)
        .flat_map(|seed| complaints_about(seed, &Plan::with_outages(seed)))
        .collect();
    assert!(complaints.is_empty(), "{:#?}", complaints.iter().take(40).collect::<Vec<_>>());
}

#[test]
fn every_story_with_grants_ends_well() {
    let complaints: Vec<String> = (0..SEEDS_WITH_GRANTS)
        .flat_map(|seed| complaints_about(seed, &Plan::with_grants(seed)))
        .collect();
    assert!(complaints.is_empty(), "{:#?}", complaints.iter().take(40).collect::<Vec<_>>());
}

#[test]
fn grants_come_in_the_middle_of_calls() {
    let plans: Vec<Plan> = (0..SEEDS_WITH_GRANTS).map(Plan::with_grants).collect();
    let recordings: Vec<Recording> = plans.iter().map(|plan| play(plan, 1)).collect();
    let grants = || plans.iter().flat_map(|plan| &plan.grants);
    let claims = || recordings.iter().flat_map(|recording| &recording.claims);
    let sent = || recordings.iter().flat_map(|recording| &recording.sent);

    assert!(grants().filter(|grant| grant.node == 0).count() > 50);
    assert!(grants().filter(|grant| grant.node == 1).count() > 50);
    let refused = claims().filter(|claim| claim.refused).count();
    assert!(refused > 20, "{refused} came too late");
    let went_on = sent().filter(|copy| copy.epochs.1.0 > 1).count();
    assert!(went_on > 10_000, "{went_on} copies after a grant");
}

#[test]
fn outages_are_short_and_long() {
    let plans: Vec<Plan> = (0..SEEDS_WITH_OUTAGES).map(Plan::with_outages).collect();
    let steps = || plans.iter().flat_map(|plan| &plan.steps);
    let outages = |range: std::ops::Range<u64>| {
        let fits = |act| matches!(act, Act::Vanish { down } if range.contains(&down.as_secs()));
        steps().filter(|step| fits(step.act)).count()
    };
    assert!(outages(0..15) > 50 && outages(36..60) > 50);
}

#[test]
fn a_seed_is_one_story() {
    for seed in 0..10 {
        let plan = Plan::from_seed(seed);
        let complaints = oracle::deterministic(&play(&plan, 2), &play(&plan, 2));
        assert!(complaints.is_empty(), "seed {seed}: {complaints:?}");
    }
}

#[test]
fn stories_are_about_something() {
    let plans: Vec<Plan> = (0..40).map(Plan::from_seed).collect();
    let recordings: Vec<Recording> = plans.iter().map(|plan| play(plan, 1)).collect();
    let count = |act: fn(&Act) -> bool| {
        plans.iter().flat_map(|plan| &plan.steps).filter(|step| act(&step.act)).count()
    };
    let sent = || recordings.iter().flat_map(|recording| &recording.sent);

    assert!(recordings.iter().map(|recording| recording.heard.len()).sum::<usize>() > 100_000);
    assert!(count(|act| matches!(act, Act::Drop { .. })) > 100);
    assert!(count(|act| matches!(act, Act::Mute)) > 30);
    assert!(count(|act| matches!(act, Act::Ignore(_))) > 30);
    assert!(sent().filter(|copy| copy.index >= 1 << 16).count() > 1_000, "no number wrapped");
    let links = || recordings.iter().flat_map(|recording| &recording.links);
    let told = |what: fn(&Told) -> bool| {
        let told =
            links().filter(|event| matches!(event, LinkEvent::Told { what: it, .. } if what(it)));
        told.count()
    };
    let tapped = links().filter(|event| matches!(event, LinkEvent::Tapped { .. }));
    assert!(tapped.count() > 30_000, "links heard little");
    assert!(told(|what| matches!(what, Told::Opened { .. })) > 100);
    assert!(told(|what| matches!(what, Told::Muted { .. })) > 20);
    assert!(told(|what| matches!(what, Told::Ended { .. })) > 20);
    assert!(recordings.iter().map(|it| it.received.len()).sum::<usize>() > 1_000, "few messages");
    let silent = plans.iter().zip(&recordings).filter(|(_, recording)| recording.heard.is_empty());
    assert!(silent.count() < 10, "most stories have something to hear");
}
