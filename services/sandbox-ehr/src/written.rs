//! What apps have written, by place: laid over the records that all places share, so that one EHR's writes are seen in
//! that EHR alone. Writes to a place come one after the other, so that looking and storing are one step.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{data::Records, places::Place};

#[derive(Debug, Default)]
pub(crate) struct Written {
    places: Mutex<HashMap<Place, Arc<Records>>>,
}

impl Written {
    /// The records of a place that was written to.
    pub(crate) fn at(&self, place: &Place) -> Option<Arc<Records>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// Changes a place's records; whoever reads meanwhile goes on with those from before.
    pub(crate) fn change<T>(
        &self,
        place: &Place,
        unwritten: impl FnOnce() -> Arc<Records>,
        write: impl FnOnce(&mut Records) -> T,
    ) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let records = places.entry(place.clone()).or_insert_with(|| Arc::new(Records::over(unwritten())));
        write(Arc::make_mut(records))
    }
}
