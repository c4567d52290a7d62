//! How values without a JSON form of their own are written and read.

/// A number of milliseconds with up to three decimals, one at least: `576.959`, `5000.0`.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(rapid_interop::time::millis(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let millis = f64::deserialize(deserializer)?;
        let read = Duration::try_from_secs_f64(millis / 1000.0).map_err(de::Error::custom)?;
        let micros = u64::try_from((read.as_nanos() + 500) / 1000).map_err(de::Error::custom)?;
        Ok(Duration::from_micros(micros))
    }

    /// The same, absent or not.
    pub(crate) mod option {
        use super::{Deserializer, Duration, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            duration: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            super::serialize(&duration.unwrap_or_default(), serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }

    /// With two decimals, as the service gives the initialisation in a report.
    pub(crate) mod rounded {
        pub(crate) use super::option::deserialize;
        use super::{Duration, Serializer};
        use crate::line::hundredths;

        pub(crate) fn serialize<S: Serializer>(
            duration: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let hundredths = hundredths(duration.unwrap_or_default());
            let micros = hundredths.saturating_mul(10);
            super::serialize(&Duration::from_micros(micros), serializer)
        }
    }
}

/// A moment as the envelope spells it.
pub(crate) mod time {
    use std::borrow::Cow;

    use rapid_interop::EpochMillis;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::Timestamp;

    pub(crate) fn serialize<S: Serializer>(
        at: &EpochMillis,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Timestamp::from(*at).as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<EpochMillis, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let strange = || de::Error::invalid_value(de::Unexpected::Str(&text), &"a time in UTC");
        Timestamp::parse(&text).ok_or_else(strange)
    }
}

/// The id of an invocation.
pub(crate) mod request_id {
    use std::borrow::Cow;

    use rapid_interop::RequestId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        id: &RequestId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(id.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RequestId, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let strange = || de::Error::invalid_value(de::Unexpected::Str(&text), &"a request id");
        RequestId::parse(&text).ok_or_else(strange)
    }
}

/// A tenant's id, absent or not.
pub(crate) mod tenant_id {
    use std::borrow::Cow;

    use rapid_interop::TenantId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        id: &Option<TenantId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(id.as_ref().map_or("", TenantId::as_str))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<TenantId>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let strange = || de::Error::invalid_value(de::Unexpected::Str(&text), &"a tenant id");
        TenantId::parse(&text).map(Some).ok_or_else(strange)
    }
}
