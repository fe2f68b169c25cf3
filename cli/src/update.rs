//! `stiefelctl update`: makes the ramdisks of installed kernels.

use std::fs;
use std::path::PathBuf;

use crate::ending::complain;
use crate::output::{clean, json_line, say};
use anyhow::{Context, bail};
use clap::Args;
use stiefel_core::modules::Purpose;
use stiefel_image::{Manifest, Options, build, image_path, releases, remove, sticks};

/// What to make, and from where.
#[derive(Args, Debug)]
pub struct UpdateArgs {
    /// Make the one for this kernel (as `uname -r` prints it), not for the running one
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["all", "remove"])]
    kernel: Option<String>,
    /// Make one for each installed kernel
    #[arg(long, conflicts_with = "remove")]
    all: bool,
    /// Remove the one of this kernel; it is fine when there is none
    #[arg(long, value_name = "RELEASE")]
    remove: Option<String>,
    /// Print what was made as JSON, one line for each kernel
    #[arg(long)]
    json: bool,
    /// Also list the firmware and the modules that are not installed
    #[arg(long, short)]
    verbose: bool,
    /// Root folder of the system whose kernels are taken
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// The static program that the ramdisk runs [default: the installed one below the root]
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// The folder of ramdisks [default: /var/lib/stiefelsystem/images below the root]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Makes or removes ramdisks, and says what is in them.
///
/// # Errors
/// What [`build`] and [`remove`] say. With several kernels all are tried before it fails.
pub fn run(args: &UpdateArgs) -> anyhow::Result<()> {
    if let Some(release) = &args.remove {
        let images = options(args, release).out;
        let found = remove(&images, release)?;
        if !args.json {
            let what = if found { "Removed the" } else { "There is no" };
            say!("{what} ramdisk for {release}.");
        }
        return Ok(());
    }
    let releases = match &args.kernel {
        Some(release) => vec![release.clone()],
        None if args.all => releases(&args.root),
        None => vec![running()?],
    };
    if releases.is_empty() {
        bail!(
            "no kernel below {} has a module tree; install a kernel package",
            args.root.display()
        );
    }
    let mut failed = Vec::new();
    for release in &releases {
        let options = options(args, release);
        match build(&options) {
            Ok(manifest) if args.json => json_line(&manifest)?,
            Ok(manifest) => {
                say!("{}", summary(&manifest, args.verbose).trim_end());
                say!("  in {}", image_path(&options.out, release).display());
            }
            Err(error) if releases.len() == 1 => return Err(error.into()),
            Err(error) => {
                complain(&format!("{release}: {error}"))?;
                failed.push(release.as_str());
            }
        }
    }
    if !args.json {
        tell_old_sticks(args, &releases)?;
    }
    if !failed.is_empty() {
        bail!("no new ramdisk for {}", failed.join(", "));
    }
    Ok(())
}

/// They go on as they are, but know the cards of their own kernel only.
fn tell_old_sticks(args: &UpdateArgs, releases: &[String]) -> anyhow::Result<()> {
    for made in sticks::old(&args.root.join("var/lib/stiefelsystem"), releases) {
        say!(
            "The stick of {} is older (kernel {}, version {}). When it is plugged in: stiefelctl refresh-stick",
            clean(made.name.as_str()),
            clean(&made.kernel),
            clean(&made.made_by)
        );
    }
    Ok(())
}

fn options(args: &UpdateArgs, release: &str) -> Options {
    let mut options = Options::new(&args.root, release);
    if let Some(init) = &args.init {
        options.init.clone_from(init);
    }
    if let Some(out) = &args.out {
        options.out.clone_from(out);
    }
    options
}

fn running() -> anyhow::Result<String> {
    let path = "/proc/sys/kernel/osrelease";
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {path}; name a kernel with --kernel"))?;
    Ok(text.trim().to_owned())
}

/// A few lines for people.
fn summary(manifest: &Manifest, verbose: bool) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let modules: usize = manifest.modules.values().sum();
    let purposes: Vec<String> = Purpose::ALL
        .iter()
        .filter_map(|purpose| Some((purpose, manifest.modules.get(purpose)?)))
        .map(|(purpose, count)| format!("{} {count}", purpose.label()))
        .collect();
    let mut text = format!(
        "Ramdisk for {}: {:.1} MB ({:.1} MB in memory), made in {:.1} s\n  \
         {modules} modules: {}\n  {} firmware files",
        manifest.release,
        megabytes(manifest.size),
        megabytes(manifest.unpacked_size),
        manifest.seconds,
        purposes.join(", "),
        manifest.firmware,
    );
    let absent = manifest.missing_firmware.len();
    if absent > 0 {
        text += &format!("; {absent} for rarer cards are not installed");
    }
    text.push('\n');
    let incomplete = manifest.missing_modules.len();
    if incomplete > 0 {
        text += &format!("  {incomplete} optional modules are not complete on this system\n");
    }
    if verbose {
        for name in &manifest.missing_firmware {
            text += &format!("  not installed: firmware {name}\n");
        }
        for missing in &manifest.missing_modules {
            text += &format!(
                "  left out: module {} (lacks {})\n",
                missing.module, missing.lacks
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use stiefel_core::modules::Missing;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            release: "6.1".into(),
            made_by: "0".into(),
            kernel: "/boot/vmlinuz-6.1".into(),
            size: 21_760_634,
            unpacked_size: 61_569_508,
            sha256: String::new(),
            init_sha256: String::new(),
            modules: [(Purpose::Support, 3), (Purpose::Net, 2)].into(),
            missing_modules: vec![Missing {
                module: "a".into(),
                lacks: "b".into(),
            }],
            firmware: 92,
            missing_firmware: vec!["x/y.bin".into()],
            seconds: 0.94,
        }
    }

    #[test]
    fn the_summary_says_size_time_and_what_is_inside() {
        let expected = "Ramdisk for 6.1: 21.8 MB (61.6 MB in memory), made in 0.9 s\n  \
                        5 modules: wired network 2, needed by these 3\n  \
                        92 firmware files; 1 for rarer cards are not installed\n  \
                        1 optional modules are not complete on this system\n";
        assert_eq!(summary(&manifest(), false), expected);
    }

    #[test]
    fn verbose_names_what_is_missing() {
        let text = summary(&manifest(), true);
        assert!(
            text.ends_with("firmware x/y.bin\n  left out: module a (lacks b)\n"),
            "{text}"
        );
    }
}
