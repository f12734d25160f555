//! What people read on their terminal: the only file that writes to it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks this way")]

use std::{io::IsTerminal as _, net::SocketAddr, process::ExitCode};

use qrcode::{QrCode, render::unicode};

/// Prints text as it is.
pub(crate) fn text(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

/// Shows how far a long job is, in place of what was shown before.
pub(crate) fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

/// Prints why it can't be done, in one line.
pub(crate) fn failure(reason: &str) -> ExitCode {
    eprintln!("adda: {reason}");
    ExitCode::FAILURE
}

/// What is wrong with a command line and how to mend it, in one line.
pub(crate) fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_boilerplate =
        |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
    let said: Vec<&str> = lines.take_while(|line| !is_boilerplate(line)).collect();
    let said = said.join("; ");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    format!("{said}; see adda --help")
}

/// Where a running dev server is reached.
pub(crate) struct Reachable<'a> {
    pub(crate) port: u16,
    pub(crate) key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) data_dir: &'a std::path::Path,
    pub(crate) media: &'a [SocketAddr],
    /// `https://address:port` for phones, with `--lan`.
    pub(crate) lan: Option<&'a str>,
}

/// Prints every address that works, once they do.
pub(crate) fn banner(reachable: &Reachable<'_>) {
    let Reachable { port, key, secret, data_dir, media, lan } = reachable;
    let base = format!("http://localhost:{port}");
    println!("adda {} is ready\n", env!("CARGO_PKG_VERSION"));
    println!("  Call     {base}/call/demo      open it twice, or call Ada, the echo caller");
    println!("  Notes    {base}/notes/demo     hold the button and talk");
    println!("  Admin    {base}/admin          asks for: adda token create --operator");
    println!("  SDKs     ws://localhost:{port}             key {key}   secret {secret}");
    println!("  Health   {base}/healthz        /readyz says why not");
    println!("  Metrics  {base}/metrics");
    println!("  Media    UDP {}", places(media));
    println!("  State    {}", data_dir.display());
    match lan {
        None => println!("  Phone on the same network: adda dev --lan"),
        Some(origin) => {
            let call = format!("{origin}/call/demo");
            println!("  Phone    {call}");
            println!(
                "           scan this; the phone warns once, since we signed the certificate\n"
            );
            if let Ok(code) = QrCode::new(&call) {
                println!("{}", paint(&code.render::<unicode::Dense1x2>().build()));
            }
        }
    }
    println!("\nCtrl-C stops it.");
}

/// Dark on light whatever the terminal's colours, since not every camera reads the reverse.
fn paint(code: &str) -> String {
    if !std::io::stdout().is_terminal() {
        return code.to_owned();
    }
    code.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n")).collect()
}

/// Addresses, and the ports each of them has.
fn places(addresses: &[SocketAddr]) -> String {
    let mut ips: Vec<String> = Vec::new();
    let mut ports: Vec<u16> = Vec::new();
    for address in addresses {
        let ip = address.ip().to_string();
        if !ips.contains(&ip) {
            ips.push(ip);
        }
        ports.push(address.port());
    }
    let ports = match (ports.iter().min(), ports.iter().max()) {
        (Some(first), Some(last)) if first == last => format!("{first}"),
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    format!("{ports} on {}", ips.join(", "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_bad_command_line_is_refused_in_one_line_that_names_it() {
        for (line, named) in [
            (&["adda", "--prot", "1"][..], "--prot"),
            (&["adda", "dev", "--port", "high"][..], "high"),
            (&["adda", "dev", "--webhook", "x"][..], "--webhook"),
            (&["adda", "token", "create"][..], "--room"),
            (&["adda", "fly"][..], "fly"),
        ] {
            let error = Cli::try_parse_from(line).unwrap_err();
            let refusal = usage(&error);
            assert!(refusal.contains(named) && !refusal.contains('\n'), "{refusal}");
        }
    }

    #[test]
    fn every_address_and_the_ports_are_named_once() {
        let addresses: Vec<SocketAddr> =
            ["127.0.0.1:7882", "[::1]:7882", "127.0.0.1:7883", "[::1]:7883"]
                .map(|text| text.parse().unwrap())
                .into();
        assert_eq!(places(&addresses), "7882 to 7883 on 127.0.0.1, ::1");
    }
}
