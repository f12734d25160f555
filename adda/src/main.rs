//! The executable: reads what it is told, composes the roles, says what went wrong in one line.

mod cli;
mod config;
mod dev;
mod load;
mod network;
mod print;
mod token;

use std::{env, process::ExitCode};

use clap::Parser as _;

use crate::{
    cli::{Cli, Command, ConfigCommand, TokenCommand},
    config::Config,
};

fn main() -> ExitCode {
    // One provider for all TLS, chosen before anything can need it.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    if provider.install_default().is_err() {
        return print::failure("another TLS provider was installed first");
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return print::failure(&print::usage(&error)),
        Err(help) => return print::text(&help.to_string()),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print::failure(&format!("{error:#}")),
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Dev(cli.dev)) {
        Command::Dev(args) => {
            let from_environment = || env::var_os("ADDA_CONFIG").map(Into::into);
            let file = args.config.clone().or_else(from_environment);
            dev::run(Config::load(file.as_deref(), args.overrides())?)
        }
        Command::Token(TokenCommand::Create(args)) => token::create(&args),
        Command::Load(args) => load::run(&args),
        Command::Config(ConfigCommand::Check { file }) => {
            Config::load(Some(&file), toml::Table::new())?;
            print::text(&format!("{} is good\n", file.display()));
            Ok(())
        }
        Command::Config(ConfigCommand::PrintDefault) => {
            print::text(config::DEFAULT);
            Ok(())
        }
    }
}
