//! nginx as a plain proxy: connections to the EHR kept, a fixed token, nothing checked, nothing recorded. The cheapest
//! thing that could stand in the gateway's place.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use super::{Process, Target, free_port, load, our_requests};
use crate::roles::Serving;

/// One worker, as many connections to the EHR as come in, no access log. `Connection ""` stands where the other header
/// does: a `proxy_set_header` of a location drops all inherited ones.
const CONFIG: &str = r#"worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream ehr { server {ehr}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen {listen};
    location /fhir/ {
      proxy_pass http://ehr;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer synthetic-token";
    }
  }
}
"#;

/// Starts it.
///
/// # Errors
/// When nginx is not installed or its configuration is refused.
pub(crate) fn nginx(ehr: &Serving, folder: &Path) -> anyhow::Result<Target> {
    let (command, address) = nginx_command(ehr, folder)?;
    let mut process = Process::start(command, folder, "nginx")?;
    process.listening(address)?;
    let load = load(address, our_requests(address)?);
    Ok(Target { name: "nginx", process, load, share: 1.0, metrics: None, relays: false, windows: 0 })
}

/// The command, with its configuration written, and where it will listen.
///
/// # Errors
/// When the configuration cannot be written.
pub(crate) fn nginx_command(ehr: &Serving, folder: &Path) -> anyhow::Result<(Command, SocketAddr)> {
    let own = folder.join("nginx");
    fs::create_dir_all(&own)?;
    let address = free_port()?;
    let text = CONFIG
        .replace("{folder}", &own.to_string_lossy())
        .replace("{ehr}", &ehr.address.to_string())
        .replace("{listen}", &address.to_string());
    let config = own.join("nginx.conf");
    fs::write(&config, text)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&own).arg("-c").arg(&config);
    Ok((command, address))
}
