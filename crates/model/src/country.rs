//! Countries by their two letters (ISO 3166-1), with how telephone numbers are written there.

use std::fmt;
use std::str::FromStr;

/// A country that telephone numbers can be read for: all of Africa, and those its people call most.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[A-Z]{2}$", example = "KE"))]
pub struct Country(&'static Numbering);

/// How a country numbers its telephones (ITU-T E.164 and the national numbering plans).
#[derive(Debug, PartialEq, Eq, Hash)]
struct Numbering {
    code: &'static str,
    /// Dialled from abroad, without the plus sign.
    calling: &'static str,
    /// Dialled before a number inside the country, and dropped from abroad; empty where there is none.
    trunk: &'static str,
    /// How many digits a number has without calling code and trunk prefix.
    lengths: &'static [usize],
}

const fn country(code: &'static str, calling: &'static str, trunk: &'static str, lengths: &'static [usize]) -> Numbering {
    Numbering { code, calling, trunk, lengths }
}

/// By code. Where two countries share a calling code, the first is the one that a number from abroad is taken for.
const NUMBERINGS: &[Numbering] = &[
    country("AE", "971", "0", &[9, 8]),
    country("AO", "244", "", &[9]),
    country("AU", "61", "0", &[9]),
    country("BD", "880", "0", &[10]),
    country("BE", "32", "0", &[9, 8]),
    country("BF", "226", "", &[8]),
    country("BH", "973", "", &[8]),
    country("BI", "257", "", &[8]),
    country("BJ", "229", "", &[10, 8]),
    country("BR", "55", "0", &[11, 10]),
    country("BW", "267", "", &[8, 7]),
    country("CA", "1", "1", &[10]),
    country("CD", "243", "0", &[9]),
    country("CF", "236", "", &[8]),
    country("CG", "242", "", &[9]),
    country("CI", "225", "", &[10]),
    country("CM", "237", "", &[9]),
    country("CN", "86", "0", &[11]),
    country("CV", "238", "", &[7]),
    country("DE", "49", "0", &[11, 10, 9]),
    country("DJ", "253", "", &[8]),
    country("DZ", "213", "0", &[9, 8]),
    country("EG", "20", "0", &[10, 9, 8]),
    country("ER", "291", "0", &[7]),
    country("ES", "34", "", &[9]),
    country("ET", "251", "0", &[9]),
    country("FR", "33", "0", &[9]),
    country("GA", "241", "0", &[8, 7]),
    country("GB", "44", "0", &[10, 9]),
    country("GH", "233", "0", &[9]),
    country("GM", "220", "", &[7]),
    country("GN", "224", "", &[9]),
    country("GQ", "240", "", &[9]),
    country("GW", "245", "", &[9, 7]),
    country("ID", "62", "0", &[11, 10, 9]),
    country("IE", "353", "0", &[9, 8]),
    country("IN", "91", "0", &[10]),
    country("IQ", "964", "0", &[10]),
    country("IT", "39", "", &[10, 9]),
    country("JO", "962", "0", &[9]),
    country("KE", "254", "0", &[9]),
    country("KM", "269", "", &[7]),
    country("KW", "965", "", &[8]),
    country("LB", "961", "0", &[8, 7]),
    country("LK", "94", "0", &[9]),
    country("LR", "231", "0", &[9, 8, 7]),
    country("LS", "266", "", &[8]),
    country("LY", "218", "0", &[9]),
    country("MA", "212", "0", &[9]),
    country("MG", "261", "0", &[9]),
    country("ML", "223", "", &[8]),
    country("MR", "222", "", &[8]),
    country("MU", "230", "", &[8, 7]),
    country("MW", "265", "0", &[9, 7]),
    country("MX", "52", "", &[10]),
    country("MY", "60", "0", &[10, 9]),
    country("MZ", "258", "", &[9, 8]),
    country("NA", "264", "0", &[9, 8]),
    country("NE", "227", "", &[8]),
    country("NG", "234", "0", &[10, 8]),
    country("NL", "31", "0", &[9]),
    country("NP", "977", "0", &[10]),
    country("NZ", "64", "0", &[10, 9, 8]),
    country("OM", "968", "", &[8]),
    country("PH", "63", "0", &[10]),
    country("PK", "92", "0", &[10]),
    country("PT", "351", "", &[9]),
    country("QA", "974", "", &[8]),
    country("RE", "262", "0", &[9]),
    country("RW", "250", "0", &[9]),
    country("SA", "966", "0", &[9]),
    country("SC", "248", "", &[7]),
    country("SD", "249", "0", &[9]),
    country("SL", "232", "0", &[8]),
    country("SN", "221", "", &[9]),
    country("SO", "252", "0", &[9, 8, 7]),
    country("SS", "211", "0", &[9]),
    country("ST", "239", "", &[7]),
    country("SZ", "268", "", &[8]),
    country("TD", "235", "", &[8]),
    country("TG", "228", "", &[8]),
    country("TH", "66", "0", &[9]),
    country("TN", "216", "", &[8]),
    country("TR", "90", "0", &[10]),
    country("TZ", "255", "0", &[9]),
    country("UG", "256", "0", &[9]),
    country("US", "1", "1", &[10]),
    country("VN", "84", "0", &[9]),
    country("YE", "967", "0", &[9]),
    country("ZA", "27", "0", &[9]),
    country("ZM", "260", "0", &[9]),
    country("ZW", "263", "0", &[9, 8]),
];

/// Why a text names no country that is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write the two capital letters of a country, such as KE; telephone numbers of this one are not known here")]
pub struct CountryError;

impl Country {
    /// Lists every country.
    pub fn all() -> impl Iterator<Item = Self> {
        NUMBERINGS.iter().map(Self)
    }

    /// The two letters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0.code
    }

    /// What is dialled from abroad, without the plus sign.
    #[must_use]
    pub const fn calling_code(self) -> &'static str {
        self.0.calling
    }

    /// What is dialled before a number inside the country; empty where there is none.
    #[must_use]
    pub const fn trunk(self) -> &'static str {
        self.0.trunk
    }

    /// How many digits a number may have without calling code and trunk prefix.
    #[must_use]
    pub const fn lengths(self) -> &'static [usize] {
        self.0.lengths
    }
}

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        Self::all().find(|country| country.code() == text).ok_or(CountryError)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_fits_e164() {
        assert!(NUMBERINGS.is_sorted_by(|a, b| a.code < b.code), "by code, each once");
        for numbering in NUMBERINGS {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            assert!(numbering.code.len() == 2 && digits(numbering.calling) && digits(numbering.trunk), "{numbering:?}");
            assert!(numbering.lengths.iter().all(|length| (7..=15 - numbering.calling.len()).contains(length)), "{numbering:?}");
        }
    }

    #[test]
    fn letters_and_back() {
        for country in Country::all() {
            assert_eq!(country.to_string().parse(), Ok(country));
        }
        for text in ["", "ke", "KEN", "XX"] {
            assert_eq!(text.parse::<Country>(), Err(CountryError), "{text}");
        }
    }
}
