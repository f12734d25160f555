//! Session descriptions: what clients really send, what we write, and what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::net::{IpAddr, SocketAddr};

use arbtest::arbitrary::{self, Unstructured};
use proto::{
    ice::Credentials,
    limits::{SDP_BYTES_MAX, SDP_LINE_BYTES_MAX, SDP_SECTIONS_MAX},
    sdp::{
        Codec, Direction, Extension, Fingerprint, Format, Kind, Mid, Msid, Origin, ParseError,
        Section, Session, Setup, Source, TransportError, TransportLines, URI_AUDIO_LEVEL,
    },
};

/// Descriptions of Chromium, Firefox, the Rust and the Go SDK and a LiveKit server, secrets
/// replaced and uninteresting lines left out. Each starts with `=== who, type`.
const RECORDED: &str = include_str!("fixtures/descriptions.txt");

fn recorded() -> impl Iterator<Item = (&'static str, &'static str)> {
    RECORDED.split("=== ").skip(1).map(|entry| entry.split_once('\n').unwrap())
}

#[test]
fn every_recorded_description_is_read_whole() {
    let mut seen = 0;
    for (who, text) in recorded() {
        let session =
            Session::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{who}: {error}"));
        let media_lines = text.lines().filter(|line| line.starts_with("m=")).count();
        assert_eq!(session.sections.len(), media_lines, "{who}");
        assert_eq!(session.bundle.len(), media_lines, "{who}");
        let peer = session.peer().unwrap_or_else(|error| panic!("{who}: {error}"));
        assert_eq!(peer.setup == Setup::ActPass, who.ends_with("offer"), "{who}");
        for section in session.sections.iter().filter(|section| section.kind == Kind::Audio) {
            assert!(section.formats.iter().any(is_opus), "{who}: {section:?}");
            assert!(section.rtcp_mux, "{who}");
        }
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} descriptions were in the file");
}

fn is_opus(format: &Format) -> bool {
    format.codec.as_ref().is_some_and(|codec| codec.is("OPUS") && codec.channels == 2)
}

#[test]
fn a_recorded_description_survives_writing() {
    for (who, text) in recorded() {
        let session = Session::parse(text.as_bytes()).unwrap();
        assert_eq!(Session::parse(session.to_string().as_bytes()), Ok(session), "{who}");
    }
}

#[test]
fn what_a_publisher_sends_is_understood() {
    let (_, text) = recorded()
        .find(|(who, text)| who.starts_with("firefox v1, offer") && text.contains("a=sendonly"))
        .unwrap();
    let session = Session::parse(text.as_bytes()).unwrap();
    let published =
        session.sections.iter().find(|section| section.direction == Direction::SendOnly).unwrap();

    assert_eq!(published.formats[0].payload_type, 109);
    let level = published.extensions.iter().find(|extension| extension.uri == URI_AUDIO_LEVEL);
    assert_eq!(level.map(|extension| extension.id), Some(1));
    assert_eq!(published.sources.len(), 1);
    assert!(published.sources[0].cname.is_some());
    assert!(published.msid.as_ref().unwrap().track.is_some());
}

#[test]
fn our_answer_is_written_as_clients_know_it() {
    assert_eq!(answer().to_string(), ANSWER.replace('\n', "\r\n"));
}

const ANSWER: &str = "\
v=0
o=- 7 2 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 6
a=extmap-allow-mixed
a=msid-semantic: WMS *
a=ice-lite
a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
m=audio 9 UDP/TLS/RTP/SAVPF 111 63
c=IN IP4 0.0.0.0
a=mid:0
a=ice-ufrag:uuuu
a=ice-pwd:pppppppppppppppppppppp
a=setup:passive
a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host
a=candidate:2 1 udp 2130706175 2001:db8::1 7882 typ host
a=end-of-candidates
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=msid:PA_a|TR_b TR_b
a=ssrc:42 cname:PA_a
a=ssrc:42 msid:PA_a|TR_b TR_b
m=video 0 UDP/TLS/RTP/SAVPF 0
c=IN IP4 0.0.0.0
a=mid:3
a=inactive
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:6
a=ice-ufrag:uuuu
a=ice-pwd:pppppppppppppppppppppp
a=setup:passive
a=sendrecv
a=sctp-port:5000
a=max-message-size:65535
";

fn answer() -> Session {
    let transport = TransportLines {
        ice: Some(Credentials { ufrag: "uuuu".into(), pwd: "p".repeat(22) }),
        fingerprints: Vec::new(),
        setup: Some(Setup::Passive),
    };
    let msid = Msid { stream: "PA_a|TR_b".into(), track: Some("TR_b".into()) };
    let audio = Section {
        direction: Direction::SendOnly,
        rtcp_mux: true,
        transport: transport.clone(),
        formats: vec![
            format(111, "opus", "minptime=10;useinbandfec=1"),
            format(63, "red", "111/111"),
        ],
        extensions: vec![Extension { id: 1, uri: URI_AUDIO_LEVEL.into(), direction: None }],
        msid: Some(msid.clone()),
        sources: vec![Source { ssrc: 42, cname: Some("PA_a".into()), msid: Some(msid) }],
        candidates: vec!["192.0.2.1:7882".parse().unwrap(), "[2001:db8::1]:7882".parse().unwrap()],
        end_of_candidates: true,
        ..Section::new(Kind::Audio, mid("0"))
    };
    let video = Section { port: 0, ..Section::new(Kind::Video, mid("3")) };
    let data = Section {
        transport,
        sctp_port: Some(5000),
        max_message_size: Some(65535),
        ..Section::new(Kind::Application, mid("6"))
    };
    Session {
        origin: Origin { id: 7, version: 2 },
        ice_lite: true,
        extmap_allow_mixed: true,
        bundle: vec![mid("0"), mid("6")],
        transport: TransportLines {
            fingerprints: vec![Fingerprint::Sha256([0xAB; 32])],
            ..TransportLines::default()
        },
        sections: vec![audio, video, data],
    }
}

fn format(payload_type: u8, name: &str, parameters: &str) -> Format {
    let codec = Codec { name: name.into(), clock_rate: 48000, channels: 2 };
    Format { payload_type, codec: Some(codec), parameters: Some(parameters.into()) }
}

fn mid(text: &str) -> Mid {
    Mid::new(text).unwrap()
}

#[test]
fn what_is_written_reads_back_as_itself() {
    arbtest::arbtest(|u| {
        let session = arb_session(u)?;
        let text = session.to_string();
        assert_eq!(Session::parse(text.as_bytes()).as_ref(), Ok(&session), "{text}");
        Ok(())
    });
}

fn arb_session(u: &mut Unstructured<'_>) -> arbitrary::Result<Session> {
    let mut sections = Vec::new();
    for number in 0..u.int_in_range(0..=6_usize)? {
        let name = mid(&format!("{number}{}", word(u, 3)?));
        sections.push(arb_section(u, name)?);
    }
    let bundle = sections.iter().map(|section| section.mid.clone()).collect();
    Ok(Session {
        origin: Origin { id: u.arbitrary()?, version: u.arbitrary()? },
        ice_lite: u.arbitrary()?,
        extmap_allow_mixed: u.arbitrary()?,
        bundle,
        transport: arb_transport(u)?,
        sections,
    })
}

fn arb_section(u: &mut Unstructured<'_>, mid: Mid) -> arbitrary::Result<Section> {
    let kind = *u.choose(&[Kind::Audio, Kind::Video, Kind::Application])?;
    let mut section = Section {
        port: u.arbitrary()?,
        bundle_only: u.arbitrary()?,
        direction: arb_direction(u)?,
        rtcp_mux: u.arbitrary()?,
        transport: arb_transport(u)?,
        msid: arb_option(u, arb_msid)?,
        sctp_port: u.arbitrary()?,
        max_message_size: u.arbitrary()?,
        end_of_candidates: u.arbitrary()?,
        ..Section::new(kind, mid)
    };
    if kind != Kind::Application {
        let first = u.int_in_range(0..=127)?;
        section.formats.push(arb_format(u, first)?);
        for other in 0..u.int_in_range(0..=3_u8)? {
            section.formats.push(arb_format(u, (first + other + 1) % 128)?);
        }
    }
    for id in 1..=u.int_in_range(0..=5_u8)? {
        let direction = arb_option(u, arb_direction)?;
        section.extensions.push(Extension { id: id * 50, uri: word(u, 40)?, direction });
    }
    for ssrc in 0..u.int_in_range(0..=3_u32)? {
        let cname = arb_option(u, |u| word(u, 16))?;
        let msid = arb_option(u, arb_msid)?;
        section.sources.push(Source { ssrc: ssrc.wrapping_mul(0x6789_ABCD), cname, msid });
    }
    for _ in 0..u.int_in_range(0..=3)? {
        let ip: IpAddr = if u.arbitrary()? {
            IpAddr::V4(u32::into(u.arbitrary()?))
        } else {
            IpAddr::V6(u128::into(u.arbitrary()?))
        };
        section.candidates.push(SocketAddr::new(ip, u.arbitrary()?));
    }
    Ok(section)
}

fn arb_format(u: &mut Unstructured<'_>, payload_type: u8) -> arbitrary::Result<Format> {
    let codec = arb_option(u, |u| {
        Ok(Codec { name: word(u, 8)?, clock_rate: u.arbitrary()?, channels: u.arbitrary()? })
    })?;
    Ok(Format { payload_type, codec, parameters: arb_option(u, |u| word(u, 30))? })
}

fn arb_transport(u: &mut Unstructured<'_>) -> arbitrary::Result<TransportLines> {
    let ice = arb_option(u, |u| {
        let text: String = word(u, 100)?.replace(|c: char| !c.is_ascii_alphanumeric(), "+");
        Ok(Credentials { ufrag: format!("{text}/123"), pwd: "+".repeat(22) + &text })
    })?;
    let fingerprints = arb_option(u, |u| Ok(Fingerprint::Sha256(u.arbitrary()?)))?;
    let setup =
        arb_option(u, |u| u.choose(&[Setup::ActPass, Setup::Active, Setup::Passive]).copied())?;
    Ok(TransportLines { ice, fingerprints: fingerprints.into_iter().collect(), setup })
}

fn arb_direction(u: &mut Unstructured<'_>) -> arbitrary::Result<Direction> {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    u.choose(&[Inactive, RecvOnly, SendOnly, SendRecv]).copied()
}

fn arb_msid(u: &mut Unstructured<'_>) -> arbitrary::Result<Msid> {
    Ok(Msid { stream: word(u, 20)?, track: arb_option(u, |u| word(u, 20))? })
}

fn arb_option<T>(
    u: &mut Unstructured<'_>,
    value: impl FnOnce(&mut Unstructured<'_>) -> arbitrary::Result<T>,
) -> arbitrary::Result<Option<T>> {
    if u.arbitrary()? { value(u).map(Some) } else { Ok(None) }
}

/// One to `bytes_max` characters that are allowed wherever a word is.
fn word(u: &mut Unstructured<'_>, bytes_max: usize) -> arbitrary::Result<String> {
    let letters = b"abcXYZ019-._+{}|~";
    (0..u.int_in_range(1..=bytes_max)?).map(|_| Ok(char::from(*u.choose(letters)?))).collect()
}

#[test]
fn any_bytes_are_read_or_refused() {
    arbtest::arbtest(|u| {
        let (_, text) = recorded().nth(u.int_in_range(0..=29)?).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..u.int_in_range(1..=8)? {
            let at = u.choose_index(bytes.len())?;
            bytes[at] = u.arbitrary()?;
        }
        let _ = Session::parse(&bytes);
        Ok(())
    });
}

#[test]
fn a_description_that_breaks_a_rule_is_refused_by_name() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";
    let refused = |tail: &str| Session::parse(format!("v=0\r\n{tail}").as_bytes()).unwrap_err();
    let after_audio = |tail: &str| refused(&format!("{audio}{tail}"));

    assert_eq!(Session::parse(b""), Err(ParseError::Version));
    assert_eq!(Session::parse(b"v=1\r\n"), Err(ParseError::Version));
    assert_eq!(Session::parse(b"v=0\xFF"), Err(ParseError::NotUtf8));
    assert_eq!(Session::parse(&vec![b'v'; SDP_BYTES_MAX + 1]), Err(ParseError::TooLong));
    assert_eq!(refused(&format!("a={}", "x".repeat(SDP_LINE_BYTES_MAX))), ParseError::LineTooLong);
    assert_eq!(refused("a=x\0\r\n"), ParseError::ControlCharacter);
    assert_eq!(refused("a=mid:1\ra=mid:2\r\n"), ParseError::ControlCharacter);
    assert_eq!(refused("\r\n"), ParseError::NotALine);
    assert_eq!(refused("attribute"), ParseError::NotALine);
    assert_eq!(refused("o=- x 1 IN IP4 0.0.0.0"), ParseError::Origin);
    assert_eq!(refused("a=group:BUNDLE a b/c"), ParseError::Bundle);
    assert_eq!(refused(&"a=fingerprint:sha-1 AA\r\n".repeat(9)), ParseError::TooManyFingerprints);
    assert_eq!(refused("a=fingerprint:sha-256 AA:BB"), ParseError::Fingerprint);
    assert_eq!(refused("a=setup:holdconn"), ParseError::Setup);
    assert_eq!(refused("a=ice-ufrag:abc"), ParseError::Credentials);
    assert_eq!(refused("a=ice-ufrag:abcd"), ParseError::Credentials, "a ufrag alone");
    assert_eq!(refused("m=text 9 UDP/TLS/RTP/SAVPF 98"), ParseError::Media);
    assert_eq!(refused("m=audio 9 RTP/AVP 98"), ParseError::Media);
    assert_eq!(refused("m=audio 9/2 UDP/TLS/RTP/SAVPF 98"), ParseError::Media);
    assert_eq!(refused("m=audio 9 UDP/TLS/RTP/SAVPF"), ParseError::Media);
    assert_eq!(refused("m=application 9 DTLS/SCTP 5000"), ParseError::Media);
    assert_eq!(refused("m=audio 9 UDP/TLS/RTP/SAVPF 128"), ParseError::PayloadType);
    assert_eq!(refused("m=audio 9 UDP/TLS/RTP/SAVPF 1 1"), ParseError::PayloadType);
    assert_eq!(refused("m=audio 9 UDP/TLS/RTP/SAVPF 1\r\n"), ParseError::MissingMid);
    assert_eq!(after_audio("a=mid:1\r\n"), ParseError::DuplicateMid);
    assert_eq!(after_audio(audio), ParseError::DuplicateMid);
    assert_eq!(refused("m=audio 9 UDP/TLS/RTP/SAVPF 1\r\na=mid:a b"), ParseError::Mid);
    assert_eq!(after_audio("a=rtpmap:111 opus"), ParseError::Codec);
    assert_eq!(after_audio("a=extmap:0 urn:x"), ParseError::Extension);
    assert_eq!(after_audio("a=extmap:4096 urn:x"), ParseError::Extension);
    assert_eq!(after_audio("a=extmap:1 urn:x\r\na=extmap:1 urn:y"), ParseError::Extension);
    assert_eq!(after_audio("a=msid:"), ParseError::Msid);
    assert_eq!(after_audio("a=ssrc:4294967296 cname:x"), ParseError::Source);
    assert_eq!(after_audio("a=sctp-port:70000"), ParseError::DataChannel);
}

#[test]
fn every_list_has_an_end() {
    let refused = |text: String| Session::parse(format!("v=0\r\n{text}").as_bytes()).unwrap_err();
    let section = |number| format!("m=audio 9 UDP/TLS/RTP/SAVPF 1\r\na=mid:{number}\r\n");
    let numbered = |what: &str| -> String {
        let lines =
            (1..=100).map(|number| format!("a={}\r\n", what.replace('#', &number.to_string())));
        section(0) + &lines.collect::<String>()
    };

    assert_eq!(refused((0..=SDP_SECTIONS_MAX).map(section).collect()), ParseError::TooManySections);
    assert_eq!(refused(numbered("extmap:# urn:x")), ParseError::TooManyExtensions);
    assert_eq!(refused(numbered("ssrc:# cname:x")), ParseError::TooManySources);
    let group: String = (0..100).map(|number| format!(" {number}")).collect();
    assert_eq!(refused(format!("a=group:BUNDLE{group}")), ParseError::Bundle);

    let kept = numbered("candidate:1 1 udp 1 192.0.2.# 5 typ host");
    let session = Session::parse(format!("v=0\r\n{kept}").as_bytes()).unwrap();
    assert_eq!(session.sections[0].candidates.len(), 16, "more candidates are skipped");
}

#[test]
fn only_host_candidates_over_udp_are_kept() {
    let session = Session::parse(
        b"v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:0\n\
          a=candidate:1 1 UDP 9 192.0.2.1 5 typ host generation 0\n\
          a=candidate:1 2 udp 9 192.0.2.2 5 typ host\n\
          a=candidate:1 1 tcp 9 192.0.2.3 5 typ host tcptype passive\n\
          a=candidate:1 1 udp 9 192.0.2.4 5 typ srflx raddr 0.0.0.0 rport 0\n\
          a=candidate:1 1 udp 9 1b2c.local 5 typ host\n",
    );
    assert_eq!(session.unwrap().sections[0].candidates, ["192.0.2.1:5".parse().unwrap()]);
}

#[test]
fn the_transport_is_that_of_the_first_bundled_section() {
    let with = |edit: fn(&mut Session)| {
        let mut session = answer();
        edit(&mut session);
        session.peer()
    };
    let strong = Fingerprint::Sha256([1; 32]);
    assert_eq!(with(|_| ()).map(|peer| peer.fingerprint), Ok([0xAB; 32]));
    assert_eq!(with(|_| ()).map(|peer| peer.setup), Ok(Setup::Passive));
    assert_eq!(with(|session| session.sections.clear()), Err(TransportError::NoSection));
    assert_eq!(with(|session| session.bundle.truncate(1)), Err(TransportError::NotBundled));
    let no_ice = with(|session| session.sections[0].transport.ice = None);
    assert_eq!(no_ice, Err(TransportError::NoCredentials));

    let prints = |prints: &[Fingerprint]| {
        let mut session = answer();
        session.transport.fingerprints = prints.to_vec();
        session.peer().map(|peer| peer.fingerprint)
    };
    assert_eq!(prints(&[]), Err(TransportError::NoFingerprint));
    assert_eq!(prints(&[Fingerprint::Other]), Err(TransportError::WeakFingerprint));
    assert_eq!(prints(&[Fingerprint::Other, strong, strong]), Ok([1; 32]));
    let two = [strong, Fingerprint::Sha256([2; 32])];
    assert_eq!(prints(&two), Err(TransportError::SeveralFingerprints));

    let own = with(|session| {
        session.sections[0].transport.fingerprints = vec![Fingerprint::Sha256([9; 32])];
    });
    assert_eq!(own.map(|peer| peer.fingerprint), Ok([9; 32]), "a section's word counts more");
}
