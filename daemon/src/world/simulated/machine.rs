//! A machine whose files are those of the simulation, and what the script says of it.

use super::super::machine::Installed;
use super::super::{Machine, Parcel, Plan, Survey, Trouble};
use stiefel_core::preflight::system::{Named, Unlocking};
use stiefel_core::preflight::{ImageState, Kexec};
use tokio::sync::watch;

/// What the script says of the machine, where it says anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub borrowed: bool,
    pub image: Option<ImageState>,
    pub kexec: Option<Kexec>,
    pub no_kernel: Option<String>,
    pub no_disk: Option<String>,
    pub named: Option<String>,
    pub hibernated: Option<String>,
    pub unlocking: Option<Unlocking>,
    pub missing_modules: Vec<String>,
}

pub(super) struct SimulatedMachine {
    pub installed: Installed,
    pub said: watch::Receiver<Said>,
}

impl Machine for SimulatedMachine {
    fn survey(&self) -> Survey {
        let mut survey = self.installed.survey();
        let said = self.said.borrow().clone();
        if said.borrowed {
            survey.borrowed = true;
            survey.disk = Err("The system runs from a lent disk".into());
        }
        survey.image = said.image.unwrap_or(survey.image);
        survey.kexec = said.kexec.unwrap_or(survey.kexec);
        if let Some(why) = said.no_kernel {
            survey.kernel = Err(why);
        }
        if let Some(why) = said.no_disk {
            survey.disk = Err(why);
        }
        survey.system.named.extend(said.named.map(|device| Named {
            device,
            wanted_by: "/ in /etc/fstab".into(),
            needed: true,
        }));
        survey.system.hibernated = said.hibernated.or(survey.system.hibernated);
        let unlocked = said.unlocking.map(|how| ("/dev/nvme0n1p3".to_owned(), how));
        survey.system.unlocking.extend(unlocked);
        survey.missing_modules.extend(said.missing_modules);
        survey
    }

    fn parcel(&self, plan: &Plan) -> Result<Parcel, Trouble> {
        self.installed.parcel(plan)
    }
}
