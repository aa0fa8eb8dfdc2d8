//! A run followed to its end: a bar that is drawn anew on a terminal, a line when something changed elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use sallyport_proto::jobs::v1::{GetRunRequest, Run, jobs_client::JobsClient};
use sallyport_rpc::Transport;

use super::{print, told};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Follows a run until it is over or rests.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) async fn follow(mut client: JobsClient<Transport>, first: Run) -> anyhow::Result<Run> {
    let is_terminal = std::io::stdout().is_terminal();
    let mut run = first;
    let mut last = String::new();
    loop {
        let line = print::bar(&run);
        if is_terminal {
            // Back to the start of the line, and clear what is left of the last one.
            print!("\r{line}\x1b[K");
            std::io::stdout().flush()?;
        } else if line != last {
            println!("{line}");
        }
        last = line;
        if run.state != "running" {
            break;
        }
        tokio::time::sleep(LOOK).await;
        run = told(client.get_run(GetRunRequest { run_id: run.run_id.clone() }).await)?;
    }
    if is_terminal {
        println!();
    }
    print!("{}", print::run(&run));
    Ok(run)
}
