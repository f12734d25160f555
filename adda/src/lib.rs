//! What the executable does: reads what it is told, composes the roles, says what went wrong in
//! one line. A library, so that a benchmark can run it within its own process.

mod addresses;
mod announce;
mod cli;
mod config;
mod load;
mod network;
mod node;
mod parts;
mod print;
mod process;
mod recorder;
mod remote;
mod roles;
mod room;
mod sfu;
mod table;
mod token;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser as _;

use crate::{
    cli::{Cli, Command, ConfigCommand, TokenCommand},
    config::{Config, Purpose},
    roles::Roles,
};

/// Does what a command line asks for, the program's name first. Returns when that is done; a
/// server is done when it has been told to stop.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // One provider for all TLS, chosen before anything can need it.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    if provider.install_default().is_err() {
        return print::failure("another TLS provider was installed first");
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return print::failure(&print::usage(&error)),
        Err(help) => return print::text(&help.to_string()),
    };
    match obey(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print::failure(&format!("{error:#}")),
    }
}

fn obey(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Dev(cli.dev)) {
        Command::Dev(args) => {
            let file = file_or_environment(args.config.as_deref());
            let config = Config::load(Purpose::Dev, file.as_deref(), args.overrides())?;
            process::run(config, Roles::ALL, Purpose::Dev)
        }
        Command::Serve(args) => {
            let file = file_or_environment(args.config.as_deref());
            let config = Config::load(Purpose::Serve, file.as_deref(), args.overrides())?;
            process::run(config, Roles::of(&args.roles), Purpose::Serve)
        }
        Command::Token(TokenCommand::Create(args)) => token::create(&args),
        Command::Node(command) => node::run(&command),
        Command::Room(command) => room::run(&command),
        Command::Load(args) => load::run(&args),
        Command::Config(ConfigCommand::Check { file }) => {
            Config::load(Purpose::Serve, Some(&file), toml::Table::new())?;
            print::text(&format!("{} is good\n", file.display()));
            Ok(())
        }
        Command::Config(ConfigCommand::PrintDefault) => {
            print::text(config::DEFAULT);
            Ok(())
        }
    }
}

fn file_or_environment(flag: Option<&Path>) -> Option<PathBuf> {
    flag.map(Path::to_owned).or_else(|| env::var_os("ADDA_CONFIG").map(Into::into))
}
