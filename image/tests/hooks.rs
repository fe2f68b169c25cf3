//! The hooks that follow the system's kernels.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with the hooks where a system has them, and a `stiefelctl` that writes down how
/// it was called and ends with `status`.
fn place(status: u8) -> TempDir {
    let folder = TempDir::new().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let script = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    };
    let hook = |name: &str| fs::read_to_string(data.join(name)).unwrap();
    script("postinst.d/zz-stiefelsystem", &hook("zz-stiefelsystem"));
    script("postrm.d/zz-stiefelsystem", &hook("zz-stiefelsystem"));
    script(
        "install.d/90-stiefelsystem.install",
        &hook("90-stiefelsystem.install"),
    );
    if status != 127 {
        let calls = folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{}\nexit {status}\n",
            calls.display()
        );
        script("bin/stiefelctl", &text);
    }
    folder
}

fn call(folder: &TempDir, hook: &str, arguments: &[&str]) -> (Output, String) {
    let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
    let hook: PathBuf = folder.path().join(hook);
    let output = Command::new(hook)
        .args(arguments)
        .env("PATH", path)
        .output()
        .unwrap();
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    (output, calls)
}

const CASES: [(&str, &[&str], &str); 4] = [
    (
        "postinst.d/zz-stiefelsystem",
        &["0.0-none", "/boot/vmlinuz-0.0-none"],
        "update --kernel 0.0-none\n",
    ),
    (
        "postrm.d/zz-stiefelsystem",
        &["0.0-none", "/boot/vmlinuz-0.0-none"],
        "update --remove 0.0-none\n",
    ),
    (
        "install.d/90-stiefelsystem.install",
        &["add", "0.0-none", "/x", "/y"],
        "update --kernel 0.0-none\n",
    ),
    (
        "install.d/90-stiefelsystem.install",
        &["remove", "0.0-none", "/x"],
        "update --remove 0.0-none\n",
    ),
];

#[test]
fn kernels_that_come_and_go_are_followed() {
    for (hook, arguments, expected) in CASES {
        let (output, calls) = call(&place(0), hook, arguments);
        assert!(output.status.success(), "{hook}: {output:?}");
        assert_eq!(calls, expected, "{hook} {arguments:?}");
        assert!(
            output.stdout.is_empty(),
            "{hook} writes where debconf reads"
        );
    }
}

#[test]
fn a_failure_does_not_fail_the_kernels_installation() {
    for (hook, arguments, _) in CASES {
        let (output, _) = call(&place(1), hook, arguments);
        assert!(output.status.success(), "{hook}: {output:?}");
    }
    let (output, _) = call(&place(1), CASES[0].0, CASES[0].1);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("stiefelctl update --kernel 0.0-none"),
        "{text}"
    );
}

#[test]
fn hooks_are_quiet_without_the_program_or_a_release() {
    for (hook, arguments, _) in CASES {
        let (output, _) = call(&place(127), hook, arguments);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{hook}: {output:?}"
        );
        let (output, calls) = call(&place(0), hook, &[]);
        assert!(
            output.status.success() && calls.is_empty(),
            "{hook}: {output:?}"
        );
    }
    let (_, calls) = call(&place(0), CASES[2].0, &["inspect", "0.0-none", "/x"]);
    assert_eq!(calls, "");
}
