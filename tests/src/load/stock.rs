//! A data folder that holds a load, opened as a controller opens it.

use controller::serve::SystemEntropy;
use controller::serve::{DataFolder, cluster_folder, open_vault};
use controller::testing::TestApp;
use db::{Binaries, Cluster, ClusterOptions, TestDb};
use model::Entropy;
use std::path::Path;
use std::sync::Arc;

/// A controller on a data folder, with nothing in the background. Its commits do not wait for the disk: what is in it can be made again.
#[derive(Debug)]
pub struct Stock {
    /// The controller.
    pub test: TestApp,
    cluster: Cluster,
    _folder: DataFolder,
}

impl Stock {
    /// Opens a folder, making it when it is missing.
    ///
    /// # Errors
    /// When it cannot be used, or PostgreSQL is missing.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = DataFolder::open(data)?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        // Before the database is made: a key that is missing beside one is refused.
        open_vault(data, &entropy)?;
        let options = ClusterOptions { folder: cluster_folder(data), durable: false };
        let cluster = Cluster::start(&options, &Binaries::find()?).await?;
        let test = TestApp::in_folder(TestDb::on(&cluster, entropy).await, data).await;
        Ok(Self { test, cluster, _folder: folder })
    }

    /// Closes it. What was written is on the disk then, and the next who opens it makes commits wait for the disk again.
    pub async fn close(mut self) {
        self.test.power_off().await;
        self.test.app.db.close().await;
        self.cluster.stop();
        nix::unistd::sync();
    }
}
