//! The command line of the daemon. There is little to say on it.

use std::path::PathBuf;
use std::time::Duration;

/// What the command line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Address of the bus, instead of the system bus.
    pub bus: Option<String>,
    /// Script of a simulation, or its folder, instead of this machine.
    pub simulate: Option<PathBuf>,
    /// Folder of a simulation that has a script.
    pub state: Option<PathBuf>,
    /// End when nobody has asked for anything for so long and there is nothing to do.
    pub idle_exit: Option<Duration>,
    /// Make the ramdisk of this kernel and end; for the daemon itself.
    pub make_image: Option<String>,
    /// In a simulation: use the real services on the bus.
    pub services: bool,
}

/// What `--help` says.
pub const HELP: &str = "\
stiefeld - lends this machine's disk

usage: stiefeld [--bus ADDRESS] [--idle-exit SECONDS]
                [--simulate SCRIPT [--state DIR] [--services]]

Started by systemd. To see and change what it does, use stiefelctl.

  --bus ADDRESS   connect to this bus instead of the system bus;
                  \"session\" is the session bus
  --simulate SCRIPT
                  lend nothing: show a machine to which happens what the file
                  SCRIPT says, a command per line; needs no root. DIR/script is a
                  socket that takes more of them (\"help\" lists all)
  --state DIR     keep the files of the simulated machine in DIR instead of a
                  new folder below TMPDIR, which is told and removed at the end
  --idle-exit SECONDS
                  end when nobody has asked for anything for so long, and
                  there is nothing to do [default: 300, in a simulation never]
  --services      in a simulation, ask the polkit, logind, NetworkManager and
                  systemd-networkd on the bus
";

impl Options {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// An argument that is none, as a text for people.
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--bus" => options.bus = Some(value()?),
                "--simulate" => options.simulate = Some(value()?.into()),
                crate::world::maker::ARGUMENT => options.make_image = Some(value()?),
                "--idle-exit" => {
                    let secs = value()?
                        .parse()
                        .map_err(|_| format!("{arg} needs seconds"))?;
                    options.idle_exit = Some(Duration::from_secs(secs));
                }
                "--state" => options.state = Some(value()?.into()),
                "--services" => options.services = true,
                "--help" | "-h" => return Err(HELP.into()),
                _ => return Err(format!("unknown argument {arg}; try --help")),
            }
        }
        if options.services && options.simulate.is_none() {
            return Err("--services is for --simulate; try --help".into());
        }
        if options.state.is_some() && options.simulate.is_none() {
            return Err("--state is for --simulate; try --help".into());
        }
        Ok(options)
    }
}
