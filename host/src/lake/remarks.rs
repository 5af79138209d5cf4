//! What people said: tables that no run writes and every run leaves as they are, a row a remark.

use arrow::{
    array::RecordBatch,
    json::{ArrayWriter, ReaderBuilder},
};
use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{Lake, Table};
use crate::{
    error::{Context, Result},
    time::CLOCKS_APART,
};

impl Lake {
    /// Adds remarks to one of the tables that hold them. When it returns, they are on disk.
    ///
    /// # Errors
    /// A remark lacks the table's columns, or the table cannot be written; or it cannot be read, so that what is said would
    /// not count.
    pub async fn remark<T: Serialize + Sync>(&self, table: Table, remarks: &[T]) -> Result<()> {
        self.readable_remarks::<serde_json::Value>(table).await?;
        let doing = || format!("a row of {}", table.name());
        let mut decoder = ReaderBuilder::new(table.schema()).build_decoder().context(doing)?;
        decoder.serialize(remarks).context(doing)?;
        let rows: Option<RecordBatch> = decoder.flush().context(doing)?;
        self.result_table(table).append(&rows.into_iter().collect::<Vec<_>>()).await
    }

    /// Everything that was remarked, in no order. Rows that another program wrote and that are no remarks, or of a time to come,
    /// are left out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn remarks<T: DeserializeOwned>(&self, table: Table) -> Result<Vec<T>> {
        Ok(self.readable_remarks(table).await?.0)
    }

    /// The same, with why rows are left out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn readable_remarks<T: DeserializeOwned>(&self, table: Table) -> Result<(Vec<T>, Vec<String>)> {
        let doing = || format!("cannot read the table {}", table.name());
        let rows = SessionContext::new().read_table(self.table(table).await?).context(doing)?.collect().await;
        let rows = rows.map_err(|error| self.unreadable(table, &error))?;
        if rows.iter().all(|batch| batch.num_rows() == 0) {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut writer = ArrayWriter::new(Vec::new());
        writer.write_batches(&rows.iter().collect::<Vec<_>>()).context(doing)?;
        writer.finish().context(doing)?;
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&writer.into_inner()).context(doing)?;
        let (mut remarks, mut broken) = (Vec::new(), Vec::new());
        let latest = Timestamp::now().as_microsecond() + CLOCKS_APART;
        for row in rows {
            let text = row.to_string();
            let time = row["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
            // It would have the last word for ever; the view `triage` leaves it out too.
            if time.is_some_and(|time| time.as_microsecond() > latest) {
                broken.push(format!("its time is to come in {text}"));
                continue;
            }
            match serde_json::from_value(row) {
                Ok(remark) => remarks.push(remark),
                Err(error) => broken.push(format!("{error} in {text}")),
            }
        }
        Ok((remarks, broken))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;

    use crate::{
        lake::{Table, commit::tests::lake},
        triage::Triage,
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn remarks_are_read_as_they_were_said() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        assert_eq!(lake.remarks::<Triage>(Table::Triage).await.unwrap(), []);
        let said = Triage {
            finding_id: "0".repeat(32),
            time: "2026-03-02T10:11:12.123456Z".parse::<Timestamp>().unwrap(),
            status: Some("resolved".into()),
            disposition: None,
            assignee: Some("Ä \"quoted\"".into()),
            note: Some(String::new()),
        };
        lake.remark(Table::Triage, std::slice::from_ref(&said)).await.unwrap();
        assert_eq!(lake.remarks::<Triage>(Table::Triage).await.unwrap(), std::slice::from_ref(&said));

        let to_come = Triage { time: "2290-01-01T00:00:00Z".parse().unwrap(), ..said.clone() };
        lake.remark(Table::Triage, &[to_come]).await.unwrap();
        let (counts, left_out) = lake.readable_remarks::<Triage>(Table::Triage).await.unwrap();
        assert_eq!(counts, [said]);
        assert!(left_out[0].contains("its time is to come"), "{left_out:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_without_a_log_are_missed() {
        let directory = tempfile::tempdir().unwrap();
        let lake = lake(directory.path());
        let said = Triage {
            finding_id: "0".repeat(32),
            time: Timestamp::now(),
            status: None,
            disposition: None,
            assignee: None,
            note: Some("seen".into()),
        };
        lake.remark(Table::Triage, std::slice::from_ref(&said)).await.unwrap();
        fs::remove_dir_all(directory.path().join("the lake/triage/_delta_log")).unwrap();
        for error in [
            lake.remarks::<Triage>(Table::Triage).await.unwrap_err(),
            lake.remark(Table::Triage, &[said]).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("it has files, and no log"), "{error}");
            assert!(error.remedy_text().unwrap().contains("what people said before is lost"), "{error:?}");
        }
    }
}
