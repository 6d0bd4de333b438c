//! What a load consists of: how many tenants there are, how large each is, and what people and places in it are called. Pure.

use anyhow::ensure;

/// How large a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many ISPs.
    pub tenants: usize,
    /// How many customers they have together.
    pub customers: usize,
    /// How many sessions have ended in the last twelve months, about.
    pub sessions: usize,
    /// What everything that is chosen follows from. Ids of people and all that is secret are drawn anew each time.
    pub seed: i64,
}

/// Customers of one router.
const PER_ROUTER: usize = 400;
/// The months back in which customers came, with their parts of a hundred.
const JOINED: [(u32, usize); 5] = [(12, 60), (9, 10), (6, 10), (3, 10), (2, 10)];
/// Below so many customers all came in the first month.
const JOINED_AT_ONCE: usize = 40;
/// The months that sessions are spread over.
pub(super) const MONTHS: u32 = 12;

/// Where ISPs are: currency, time zone, and how a telephone number begins there.
const COUNTRIES: [(&str, &str, &str); 8] = [
    ("KES", "Africa/Nairobi", "25471"),
    ("TZS", "Africa/Dar_es_Salaam", "25575"),
    ("UGX", "Africa/Kampala", "25677"),
    ("NGN", "Africa/Lagos", "234803"),
    ("GHS", "Africa/Accra", "23324"),
    ("INR", "Asia/Kolkata", "91981"),
    ("IDR", "Asia/Jakarta", "62812"),
    ("ETB", "Africa/Addis_Ababa", "25191"),
];
const FIRST_NAMES: [&str; 24] = [
    "Amina",
    "Wanjiku",
    "Otieno",
    "José",
    "Zoë",
    "Kofi",
    "Chinedu",
    "Siti",
    "Łukasz",
    "Nguyễn",
    "अर्जुन",
    "प्रिया",
    "أمينة",
    "يوسف",
    "Светлана",
    "Иван",
    "ሰላም",
    "አበበ",
    "小明",
    "ゆき",
    "Ελένη",
    "דוד",
    "สมชาย",
    "Fatuma",
];
const LAST_NAMES: [&str; 20] = [
    "Mwangi",
    "Achieng",
    "Kamau",
    "Peña",
    "Müller",
    "Mensah",
    "Okafor",
    "Putri",
    "Wójcik",
    "Trần",
    "शर्मा",
    "पटेल",
    "حسن",
    "Петрова",
    "ተስፋዬ",
    "王",
    "Παππά",
    "Hassan",
    "Njoroge",
    "O'Brien",
];

/// One ISP to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Isp {
    /// Its place by size, from 0.
    pub(super) place: usize,
    pub(super) customers: usize,
    pub(super) sessions: usize,
}

impl Isp {
    pub(super) fn name(&self) -> String {
        let kind = ["Networks", "Broadband", "Wireless", "Fibre", "Mtandao", "शहर नेट"][self.place % 6];
        format!("{kind} {:04}", self.place + 1)
    }

    /// What its part of the load follows from: customers of different ISPs have the same logins, and not the same lives.
    pub(super) const fn seed(&self, of_load: i64) -> i64 {
        of_load.wrapping_mul(1 << 20).wrapping_add(self.place as i64)
    }

    /// The first admin's login.
    pub(super) fn admin(&self) -> String {
        format!("admin-{:04}", self.place + 1)
    }

    pub(super) const fn currency(&self) -> &'static str {
        COUNTRIES[self.place % COUNTRIES.len()].0
    }

    pub(super) const fn zone(&self) -> &'static str {
        COUNTRIES[self.place % COUNTRIES.len()].1
    }

    pub(super) const fn routers(&self) -> usize {
        self.customers.div_ceil(PER_ROUTER)
    }

    /// How many customers came how many months ago.
    pub(super) fn joined(&self) -> Vec<(u32, usize)> {
        if self.customers < JOINED_AT_ONCE {
            return vec![(MONTHS, self.customers)];
        }
        let later: Vec<(u32, usize)> = JOINED[1..].iter().map(|(ago, part)| (*ago, self.customers * part / 100)).collect();
        let first = self.customers - later.iter().map(|(_, count)| count).sum::<usize>();
        std::iter::once((JOINED[0].0, first)).chain(later).collect()
    }

    /// How many sessions a customer has in a month, on average.
    #[expect(clippy::cast_precision_loss, reason = "counts of a load are far below 2^52")]
    pub(super) fn sessions_a_month(&self) -> f64 {
        let months: usize =
            self.joined().iter().map(|(ago, count)| count * usize::try_from((*ago).min(MONTHS)).unwrap_or(0)).sum();
        self.sessions as f64 / months.max(1) as f64
    }

    /// The table of customers who came together, as an ISP would hand it in. `first` counts those who came before.
    pub(super) fn table(&self, first: usize, count: usize) -> String {
        let mut csv = String::from("login,full_name,phone,router,package,address,mac\n");
        for n in first..first + count {
            let router = n % self.routers();
            let on_router = n / self.routers();
            let (package, address) = match n % 20 {
                0 => ("Business 20", format!("192.168.{}.{}", on_router / 200, on_router % 200 + 10)),
                1..=6 => ("Week", String::new()),
                7..=13 => ("Home 5", String::new()),
                _ => ("Home 10", String::new()),
            };
            let mac = if package == "Week" {
                format!("02:00:{:02X}:{:02X}:{:02X}:{:02X}", n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255)
            } else {
                String::new()
            };
            let (given, family) =
                (FIRST_NAMES[(n * 7 + self.place) % FIRST_NAMES.len()], LAST_NAMES[(n * 3 + self.place * 5) % LAST_NAMES.len()]);
            let begins = COUNTRIES[self.place % COUNTRIES.len()].2;
            csv.push_str(&format!(
                "c{n:06},{given} {family},+{begins}{:07},r{:03},{package},{address},{mac}\n",
                n * 37 % 10_000_000,
                router + 1
            ));
        }
        csv
    }
}

/// Cuts a load into ISPs: by Zipf's law, the largest a tenth of all (a quarter where there are few).
pub(super) fn isps(size: Size) -> anyhow::Result<Vec<Isp>> {
    ensure!(
        size.tenants > 0 && size.customers >= size.tenants,
        "each tenant has a customer at least: ask for more customers or fewer tenants"
    );
    let share = if size.tenants >= 50 { 0.1 } else { 0.25 };
    let weights = weights(size.tenants, share);
    let (customers, sessions) = (parts(size.customers, &weights, 1), parts(size.sessions, &weights, 0));
    Ok(std::iter::zip(customers, sessions)
        .enumerate()
        .map(|(place, (customers, sessions))| Isp { place, customers, sessions })
        .collect())
}

/// The shares of Zipf's law whose exponent gives the first this share.
#[expect(clippy::cast_precision_loss, reason = "there are few tenants")]
fn weights(count: usize, share: f64) -> Vec<f64> {
    let with = |exponent: f64| -> Vec<f64> {
        let raw: Vec<f64> = (1..=count).map(|place| (place as f64).powf(-exponent)).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|weight| weight / sum).collect()
    };
    let (mut low, mut high) = (0.0, 3.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if with(middle)[0] < share { low = middle } else { high = middle }
    }
    with(low)
}

/// Cuts a whole by weights, each part at least so large; the parts' sum is the whole.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a load are far below 2^52"
)]
fn parts(whole: usize, weights: &[f64], least: usize) -> Vec<usize> {
    let free = whole - least * weights.len();
    let mut parts: Vec<usize> = weights.iter().map(|weight| least + (free as f64 * weight) as usize).collect();
    let left = whole - parts.iter().sum::<usize>();
    for n in 0..left {
        parts[n % weights.len()] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_has_a_tenth_and_nothing_is_lost() {
        let size = Size { tenants: 1_000, customers: 200_000, sessions: 5_000_000, seed: 1 };
        let isps = isps(size).expect("a load");
        assert_eq!(isps.iter().map(|isp| isp.customers).sum::<usize>(), 200_000);
        assert_eq!(isps.iter().map(|isp| isp.sessions).sum::<usize>(), 5_000_000);
        assert!((19_000..=21_000).contains(&isps[0].customers), "{}", isps[0].customers);
        assert!(isps.windows(2).all(|pair| pair[0].customers >= pair[1].customers) && isps[999].customers > 1);
        assert_eq!(isps[0].joined().iter().map(|(_, count)| count).sum::<usize>(), isps[0].customers);
        assert!(isps.iter().all(|isp| isp.customers <= isp.routers() * PER_ROUTER));
        assert!(super::isps(Size { customers: 999, ..size }).is_err());
    }

    #[test]
    fn a_table_has_a_row_for_each_customer_and_no_address_twice() {
        let isp = Isp { place: 3, customers: 20_000, sessions: 0 };
        let table = isp.table(0, 20_000);
        assert_eq!(table.lines().count(), 20_001);
        let mut addresses: Vec<String> = table
            .lines()
            .skip(1)
            .filter(|line| line.contains("Business"))
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                format!("{} {}", cells[3], cells[5])
            })
            .collect();
        let count = addresses.len();
        addresses.sort();
        addresses.dedup();
        assert_eq!((addresses.len(), count), (1_000, 1_000));
    }
}
