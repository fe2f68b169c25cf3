//! What is installed on this machine, and the parcel that is made of it.

use super::disk::Disk;
use super::paths::Paths;
use super::{Machine, Parcel, Plan, Survey, Trouble, role, system};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use stiefel_core::preflight::system::KERNEL_HEAD;
use stiefel_core::preflight::{self, ImageState, Kexec};
use stiefel_core::ticket::{self, ServeTicket, Ticket};
use stiefel_core::{cmdline, cpio};
use stiefel_image::KernelFiles;
use stiefel_linux::boot_files;
use zeroize::Zeroize;

/// A machine with its files below one root. How to learn of its disk and of
/// kexec is given to it, so that a simulation can say something else.
pub struct Installed {
    /// Where its files are.
    pub paths: Paths,
    /// Release of the running kernel.
    pub release: String,
    /// The disk that the system runs from.
    pub disk: Box<dyn Fn() -> Result<Disk, String> + Send + Sync>,
    /// What the kernel says about kexec; [`Kexec::Unsigned`] if it takes signed kernels only.
    pub kexec: Box<dyn Fn() -> Kexec + Send + Sync>,
}

impl Machine for Installed {
    fn survey(&self) -> Survey {
        let borrowed = role::is_borrower(&self.paths);
        let kernel = self.kernel();
        let image = match &kernel {
            Ok(files) => self.image(&files.kernel),
            Err(_) => self.image(Path::new("")),
        };
        let manifest = stiefel_image::load(&self.paths.images(), &self.release);
        Survey {
            borrowed,
            image,
            kexec: match (self.kexec)() {
                Kexec::Unsigned if kernel.as_ref().is_ok_and(|files| is_signed(&files.kernel)) => {
                    Kexec::Allowed
                }
                other => other,
            },
            system: system::read(&self.paths),
            missing_modules: manifest
                .map(|manifest| manifest.missing_modules)
                .unwrap_or_default()
                .into_iter()
                .map(|missing| missing.module)
                .collect(),
            kernel: kernel.map(drop).map_err(|Trouble(text)| text),
            disk: match borrowed {
                true => Err("The system runs from a lent disk".into()),
                false => (self.disk)(),
            },
        }
    }

    fn parcel(&self, plan: &Plan) -> Result<Parcel, Trouble> {
        let files = self.kernel()?;
        let stock = files
            .stock_initramfs()
            .map_err(|error| Trouble(error.to_string()))?;
        stiefel_image::verify(&self.paths.images(), &self.release)
            .map_err(|error| Trouble(error.to_string()))?;
        let running = read(&self.paths.at("/proc/cmdline"))?;
        let running = String::from_utf8_lossy(&running);
        let words = |line: Result<String, cmdline::TooLong>| {
            line.map_err(|error| Trouble(error.to_string()))
        };
        self.note_boot_files();
        let ticket = Ticket::Serve(Box::new(ServeTicket {
            lender: plan.lender.clone(),
            pairings: plan.pairings.clone(),
            promised_to: plan.promised_to,
            disk: (self.disk)().map_err(Trouble)?.identity,
            cmdline: words(cmdline::lent(&running, plan.permits))?,
            links: plan.links.clone(),
            limits: plan.limits,
        }));
        let image = stiefel_image::image_path(&self.paths.images(), &self.release);
        let initramfs = initramfs(
            &read(&image)?,
            &ticket,
            &read(&files.kernel)?,
            &read(stock)?,
        )
        .map_err(|error| Trouble::new("cannot put the ramdisk together in memory", error))?;
        Ok(Parcel {
            kernel: open(&files.kernel)?.into(),
            initramfs: initramfs.into(),
            cmdline: words(cmdline::serve(&running))?,
        })
    }
}

impl Installed {
    fn kernel(&self) -> Result<KernelFiles, Trouble> {
        let files = stiefel_image::kernel_of(&self.paths.at("/"), &self.release)
            .map_err(|error| Trouble(error.to_string()))?;
        files
            .stock_initramfs()
            .map_err(|error| Trouble(error.to_string()))?;
        Ok(files)
    }

    /// Without them, the loan ends with the first restart of the borrower.
    fn note_boot_files(&self) {
        let file = self.paths.at(ticket::LENT_BOOT_FILES);
        let noted = boot_files::list(&self.paths.at("/"))
            .map_err(|error| error.to_string())
            .and_then(|list| fs::write(&file, list).map_err(|error| error.to_string()));
        if let Err(error) = noted {
            tracing::warn!("cannot note the boot files in {}: {error}", file.display());
            // An older list is that of another loan.
            let _ = fs::remove_file(file);
        }
    }

    /// A kernel's package that was upgraded in place has newer files than the ramdisk.
    fn image(&self, kernel: &Path) -> ImageState {
        let images = self.paths.images();
        match stiefel_image::load(&images, &self.release) {
            Ok(_) => {}
            Err(stiefel_image::Error::NoImage(_)) => return ImageState::Missing,
            Err(_) => return ImageState::Stale,
        }
        let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
        let image = stiefel_image::image_path(&images, &self.release);
        match (modified(kernel), modified(&image)) {
            (Ok(kernel), Ok(image)) if kernel > image => ImageState::Stale,
            _ => ImageState::Ready,
        }
    }
}

/// The ramdisk, and behind it the ticket with all that the borrower will be sent.
fn initramfs(
    ramdisk: &[u8],
    ticket: &Ticket,
    kernel: &[u8],
    stock: &[u8],
) -> std::io::Result<File> {
    let mut json = ticket.to_json()?;
    let mut file =
        stiefel_linux::memfd::create("stiefel-ramdisk").map_err(std::io::Error::other)?;
    file.write_all(ramdisk)?;
    file.write_all(&[0; 4][..cpio::padding(ramdisk.len() as u64)])?;
    let mut archive = cpio::Writer::new(&mut file);
    let written = archive.file(ticket::TICKET_PATH, 0o600, &json);
    json.zeroize();
    written?;
    for (path, data) in [
        (ticket::BUNDLE_KERNEL, kernel),
        (ticket::BUNDLE_INITRAMFS, stock),
        (ticket::BUNDLE_RAMDISK, ramdisk),
    ] {
        archive.file(path, 0o600, data)?;
    }
    archive.finish()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Whether a kernel's file carries a signature.
fn is_signed(path: &Path) -> bool {
    let head = || -> std::io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(path)?
            .take(KERNEL_HEAD as u64)
            .read_to_end(&mut head)?;
        Ok(head)
    };
    head().is_ok_and(|head| preflight::system::is_signed(&head))
}

fn open(path: &Path) -> Result<File, Trouble> {
    File::open(path).map_err(|error| Trouble::new(format!("cannot open {}", path.display()), error))
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|error| Trouble::new(format!("cannot read {}", path.display()), error))
}
