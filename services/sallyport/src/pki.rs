//! `sallyport pki dev`: certificates for separate processes where no issuer runs.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use sallyport_model::{Clock, ServiceName, SystemClock};
use sallyport_rpc::pki::{self, Request};

use crate::{
    cli::{PkiCommand, PkiDevArgs},
    config::ConfigError,
};

/// `sallyport pki …`.
///
/// # Errors
/// [`ConfigError`] for a service that does not exist, otherwise what could not be written.
pub fn run(command: PkiCommand) -> anyhow::Result<ExitCode> {
    match command {
        PkiCommand::Dev(args) => dev(&args),
    }
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
fn dev(args: &PkiDevArgs) -> anyhow::Result<ExitCode> {
    let request = request(args)?;
    let made = pki::dev(&args.out, &request)?;
    let folder = args.out.display();
    if made.is_new_authority {
        println!("A new authority: {folder}/ca.pem; its key, {folder}/ca.key, belongs on no server.");
    } else {
        println!("New certificates under the authority in {folder}/ca.pem:");
    }
    for (service, files) in &made.leaves {
        println!("  {:<14}{}  {}", service.as_str(), files.certificate.display(), files.key.display());
    }
    println!("They are valid for {} days; the same command renews them.", args.days);
    Ok(ExitCode::SUCCESS)
}

fn request(args: &PkiDevArgs) -> anyhow::Result<Request> {
    let services = match args.services.as_slice() {
        [] => ServiceName::ALL.to_vec(),
        names => names.iter().map(|name| service(name)).collect::<Result<_, _>>()?,
    };
    let mut request = Request::new(&services, SystemClock.now());
    for host in &args.host {
        match host.parse() {
            Ok(address) => request.addresses.push(address),
            Err(_a_name) => request.dns_names.push(host.clone()),
        }
    }
    if let Some(domain) = &args.trust_domain {
        request.trust_domain.clone_from(domain);
    }
    let seconds = u64::from(args.days) * 24 * 3_600;
    request.leaf_validity = Duration::from_secs(seconds);
    request.authority_validity = request.authority_validity.max(request.leaf_validity);
    Ok(request)
}

fn service(name: &str) -> anyhow::Result<ServiceName> {
    let all: Vec<&str> = ServiceName::ALL.iter().map(|service| service.as_str()).collect();
    ServiceName::parse(name)
        .ok_or_else(|| ConfigError(format!("there is no service {name}; there are {}", all.join(", "))))
        .context("--services")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> PkiDevArgs {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Some(Command::Pki { command: PkiCommand::Dev(args) }) => args,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn names_and_addresses_go_where_they_belong() {
        let given = args("sallyport pki dev --out x --services web,edge --host web.internal --host 10.0.0.7");
        let request = request(&given).unwrap();
        assert_eq!(request.services, [ServiceName::Web, ServiceName::Edge]);
        assert!(request.dns_names.contains(&"web.internal".to_owned()));
        assert!(request.addresses.contains(&"10.0.0.7".parse().unwrap()));
    }

    #[test]
    fn an_unknown_service_is_a_mistake_of_the_command_line() {
        let refused = request(&args("sallyport pki dev --out x --services webb")).unwrap_err();
        assert!(refused.is::<ConfigError>(), "{refused:#}");
    }

    #[test]
    fn the_command_makes_identities_that_load() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pki");
        dev(&args(&format!("sallyport pki dev --out {} --days 7", out.display()))).unwrap();
        for service in ServiceName::ALL {
            let identity = sallyport_rpc::tls::Identity::load(pki::files(&out, service)).unwrap();
            assert_eq!(identity.service(), service);
        }
    }
}
