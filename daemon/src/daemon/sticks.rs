//! Boot media of pairings, and the drives that they are made of.

use super::jobs::Work;
use super::{Daemon, Now};
use crate::request::{Answer, Medium, Refused};
use crate::view::DriveView;
use crate::world::drives::{Drive, Usage};
use crate::world::sticks::{Stick, Target};
use crate::world::{self, Trouble};
use std::collections::BTreeMap;
use stiefel_core::pairing::PairingId;
use stiefel_dbus::words::{DriveState, JobKind};
use stiefel_image::stick::SMALLEST;

impl Daemon {
    /// Whether sticks can be made, or why not.
    pub fn sticks_can_be_made(&mut self, able: Result<(), Trouble>) {
        self.no_sticks = able.err();
    }

    pub(super) fn write_stick(
        &mut self,
        pairing: PairingId,
        medium: Medium,
    ) -> Result<Answer, Refused> {
        let record = self.records.get(&pairing).ok_or(Refused::NotPaired)?;
        let record = record.pairing.clone();
        let name = record.name.clone();
        let (kind, target, drive) = self.target(medium)?;
        if let Some(Trouble(why)) = &self.no_sticks {
            return Err(Refused::NotSupported(why.clone()));
        }
        let ticket = world::stick_ticket(record, self.lender.clone())?;
        let number = self.new_job(kind, Some(pairing), drive)?;
        let stick = Stick {
            ticket,
            pairing,
            name,
            lender: self.lender.clone(),
            target,
        };
        self.outbox.work = Some(Work::MakeStick(number, Box::new(stick)));
        Ok(Answer::Begun(number))
    }

    /// What may be written to.
    fn target(&self, medium: Medium) -> Result<(JobKind, Target, Option<String>), Refused> {
        match medium {
            Medium::File(fd) => Ok((JobKind::SaveStick, Target::File(fd), None)),
            Medium::Block { fd, device } => {
                let drive = self.drives.iter().find(|drive| drive.device == device);
                let name = drive.ok_or(Refused::NotRemovable)?.name.clone();
                Ok((JobKind::WriteStick, Target::OpenDrive(fd), Some(name)))
            }
            Medium::OwnStick(name) => {
                let written = Some(name.clone());
                Ok((JobKind::WriteStick, Target::OwnStick(name), written))
            }
            Medium::Drive { name, unmount } => {
                let written = Some(name.clone());
                let target = Target::Drive { name, unmount };
                Ok((JobKind::WriteStick, target, written))
            }
        }
    }

    /// A stick that is done makes its pairing usable.
    pub(super) fn stick_done(&mut self, pairing: Option<PairingId>, now: Now) {
        if let Some(pairing) = pairing {
            self.note_stick(pairing, now);
        }
    }

    pub(super) fn drives_by_name(&self) -> BTreeMap<String, DriveView> {
        let show = |drive: &Drive| {
            let view = DriveView {
                state: match self.written_drive() == Some(&drive.name) {
                    true => DriveState::Busy,
                    false => state(drive),
                },
                drive: drive.clone(),
            };
            (drive.name.clone(), view)
        };
        self.drives.iter().map(show).collect()
    }
}

fn state(drive: &Drive) -> DriveState {
    match drive.usage {
        _ if drive.size == 0 => DriveState::NoMedium,
        Usage::Busy => DriveState::Busy,
        Usage::ReadOnly => DriveState::ReadOnly,
        Usage::Free | Usage::Mounted if drive.size < SMALLEST => DriveState::TooSmall,
        Usage::Mounted => DriveState::Mounted,
        Usage::Free => DriveState::Free,
    }
}
