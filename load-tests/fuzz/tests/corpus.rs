//! The committed inputs, and damaged copies of them, through every target.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::{fs, path::PathBuf};

use fuzz::{
    TARGETS,
    mutate::{Random, mutate},
};

/// Damaged inputs tried per target. Those that build whole peer connections get fewer.
fn mutations_of(target: &str) -> u64 {
    match target {
        "transport" => 1_000,
        "shard" => 10_000,
        _ => 50_000,
    }
}

fn corpus_of(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_target_takes_its_corpus() {
    for target in TARGETS {
        let corpus = corpus_of(target.name);
        assert!(!corpus.is_empty(), "{} has no corpus", target.name);
        for (name, input) in corpus {
            eprintln!("{}/{name}", target.name);
            (target.run)(&input);
        }
    }
}

#[test]
fn every_target_takes_damaged_input() {
    for target in TARGETS {
        let corpus = corpus_of(target.name);
        for seed in 0..mutations_of(target.name) {
            let mut random = Random::new(seed);
            let (_, input) = &corpus[random.below(corpus.len())];
            let (_, other) = &corpus[random.below(corpus.len())];
            let mut input = input.clone();
            mutate(&mut random, &mut input, other);
            eprint!("{} {seed}\r", target.name);
            (target.run)(&input);
        }
    }
}

#[test]
fn every_target_takes_noise() {
    for target in TARGETS {
        (target.run)(&[]);
        for byte in 0..=u8::MAX {
            (target.run)(&[byte]);
            (target.run)(&[byte; 64]);
        }
    }
}
