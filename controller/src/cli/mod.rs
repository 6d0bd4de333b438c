//! The command line: a few commands work on the controller's machine (`local`), all others through the API like any other program.
//! Each of these returns the text it wants printed; nothing but `output` writes to the terminal.

mod audit;
mod backups;
mod client;
mod configurations;
mod customers;
mod diagnoses;
mod expenses;
mod first_contact;
mod gateways;
mod health;
mod invoices;
mod keeping;
mod leads;
mod local;
mod login;
mod messages;
mod notifications;
mod operators;
mod outages;
mod output;
mod own;
mod packages;
mod password;
mod payments;
mod routers;
mod sessions;
mod settings;
mod sites;
mod support;
mod table;
mod templates;
mod tenants;
mod tickets;
mod units;
mod unmatched;
mod vouchers;
mod wallets;
mod work;

use clap::{Parser, Subcommand};
use client::{Client, Connection};
use login::SavedLogin;
use std::fmt::Write as _;

/// Runs an ISP's MikroTik routers.
///
/// Names of routers, customers and packages can be written wherever their ids can. Speeds are written as download/upload (10M/5M), money as
/// 500 or 500.00, durations as 30d, 12h or 1mo.
#[derive(Debug, Parser)]
#[command(version, name = "mastwire-controller", max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(local::Serve),
    Migrate(local::Migrate),
    Audit(local::Audit),
    Backup(keeping::Backup),
    Restore(keeping::Restore),
    Compare(keeping::Compare),
    RotateKeys(keeping::RotateKeys),
    UpgradePostgres(keeping::UpgradePostgres),
    #[command(subcommand)]
    Config(local::Configuration),
    #[command(name = "openapi")]
    OpenApi(local::OpenApi),
    #[command(flatten)]
    Api(ApiCommand),
    #[command(subcommand)]
    Operator(operators::Operators),
}

#[derive(Debug, Subcommand)]
enum ApiCommand {
    Setup(login::Setup),
    Accept(login::Accept),
    Login(login::Login),
    /// Ends the login
    #[command(after_help = "Example:\n  mastwire-controller logout")]
    Logout,
    /// Says as whom the API is used
    #[command(after_help = "Example:\n  mastwire-controller whoami")]
    Whoami,
    #[command(subcommand)]
    Tenant(tenants::Tenants),
    #[command(subcommand)]
    Settings(settings::Settings),
    #[command(subcommand)]
    Flag(settings::Flags),
    #[command(subcommand)]
    Limit(settings::Limits),
    Password(own::Password),
    #[command(subcommand, name = "second-factor")]
    SecondFactor(own::SecondFactor),
    #[command(subcommand)]
    Logins(own::Logins),
    #[command(subcommand)]
    Person(support::People),
    #[command(subcommand)]
    Visit(support::Visits),
    #[command(subcommand)]
    Token(operators::Tokens),
    #[command(subcommand)]
    Site(sites::Sites),
    #[command(subcommand)]
    Device(sites::Devices),
    #[command(subcommand)]
    Router(routers::Routers),
    #[command(subcommand)]
    Package(packages::Packages),
    #[command(subcommand)]
    Customer(customers::Customers),
    Pay(payments::Pay),
    #[command(subcommand)]
    Payment(payments::Payments),
    #[command(subcommand)]
    Wallet(wallets::Wallets),
    #[command(subcommand)]
    Unmatched(unmatched::Unmatched),
    #[command(subcommand)]
    Invoice(invoices::Invoices),
    #[command(subcommand)]
    Account(expenses::Accounts),
    #[command(subcommand)]
    Expense(expenses::Expenses),
    #[command(subcommand, name = "recurring-expense")]
    RecurringExpense(expenses::Recurring),
    #[command(subcommand)]
    Report(expenses::Reports),
    #[command(subcommand)]
    Gateway(gateways::Gateways),
    #[command(subcommand)]
    Voucher(vouchers::Vouchers),
    #[command(subcommand)]
    Ledger(payments::Ledger),
    #[command(subcommand)]
    Session(sessions::Sessions),
    #[command(subcommand)]
    Outage(outages::Outages),
    #[command(subcommand)]
    Diagnose(diagnoses::Diagnoses),
    #[command(subcommand)]
    Ticket(tickets::Tickets),
    #[command(subcommand)]
    Lead(leads::Leads),
    #[command(subcommand)]
    Work(work::Work),
    #[command(subcommand)]
    Message(messages::Messages),
    #[command(subcommand, name = "message-template")]
    MessageTemplate(templates::Templates),
    #[command(subcommand, name = "message-rule")]
    MessageRule(templates::Rules),
    #[command(subcommand)]
    Notification(notifications::Notifications),
    #[command(subcommand)]
    Backups(backups::Backups),
    Export(backups::Export),
    #[command(subcommand)]
    AuditLog(audit::AuditLog),
    Health(health::Health),
    #[command(subcommand)]
    Job(health::Jobs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// When it fails; the error says what and what to do.
    ///
    /// # Cancel safety
    /// Not cancel safe: what was asked for may have been done.
    pub async fn run(self) -> anyhow::Result<()> {
        use operators::Operators;
        let connection = self.connection;
        let text = match self.command {
            Command::Serve(serve) => return serve.run().await,
            Command::Migrate(migrate) => migrate.run().await?,
            Command::Audit(audit) => {
                let (text, found) = audit.run(connection.wants_json()).await.map_err(|error| error.context(NotLooked))?;
                output::print(&text)?;
                return if found == 0 { Ok(()) } else { Err(Found(found).into()) };
            }
            Command::Backup(backup) => backup.run().await?,
            Command::Restore(restore) => restore.run().await?,
            Command::Compare(compare) => compare.run().await?,
            Command::RotateKeys(rotate) => rotate.run().await?,
            Command::UpgradePostgres(upgrade) => upgrade.run().await?,
            Command::Config(config) => config.run()?,
            Command::OpenApi(document) => document.run()?,
            Command::Operator(Operators::Recover(recover)) => recover.run().await?,
            Command::Operator(Operators::People(people)) => {
                people.run(&Client::new(connection, SavedLogin::read()?.as_ref())?).await?
            }
            Command::Api(command) => {
                let saved = SavedLogin::read()?;
                let client = Client::new(connection, saved.as_ref())?;
                command.run(&client, saved.as_ref()).await?
            }
        };
        Ok(output::print(&text)?)
    }
}

impl ApiCommand {
    async fn run(self, client: &Client, saved: Option<&SavedLogin>) -> anyhow::Result<String> {
        match self {
            Self::Setup(setup) => setup.run(client).await,
            Self::Accept(accept) => accept.run(client).await,
            Self::Password(password) => password.run(client).await,
            Self::SecondFactor(factor) => factor.run(client).await,
            Self::Logins(logins) => logins.run(client).await,
            Self::Person(people) => people.run(client).await,
            Self::Visit(visits) => visits.run(client).await,
            Self::Login(login) => login.run(client, saved).await,
            Self::Logout => login::log_out(client).await,
            Self::Whoami => login::who_am_i(client).await,
            Self::Tenant(tenants) => tenants.run(client).await,
            Self::Settings(settings) => settings.run(client).await,
            Self::Flag(flags) => flags.run(client).await,
            Self::Limit(limits) => limits.run(client).await,
            Self::Token(tokens) => tokens.run(client).await,
            Self::Site(sites) => sites.run(client).await,
            Self::Device(devices) => devices.run(client).await,
            Self::Router(routers) => routers.run(client).await,
            Self::Package(packages) => packages.run(client).await,
            Self::Customer(customers) => customers.run(client).await,
            Self::Pay(pay) => pay.run(client).await,
            Self::Payment(payments) => payments.run(client).await,
            Self::Wallet(wallets) => wallets.run(client).await,
            Self::Unmatched(unmatched) => unmatched.run(client).await,
            Self::Invoice(invoices) => invoices.run(client).await,
            Self::Account(accounts) => accounts.run(client).await,
            Self::Expense(expenses) => expenses.run(client).await,
            Self::RecurringExpense(recurring) => recurring.run(client).await,
            Self::Report(reports) => reports.run(client).await,
            Self::Gateway(gateways) => gateways.run(client).await,
            Self::Voucher(vouchers) => vouchers.run(client).await,
            Self::Ledger(ledger) => ledger.run(client).await,
            Self::Session(sessions) => sessions.run(client).await,
            Self::Outage(outages) => outages.run(client).await,
            Self::Diagnose(diagnoses) => diagnoses.run(client).await,
            Self::Ticket(tickets) => tickets.run(client).await,
            Self::Lead(leads) => leads.run(client).await,
            Self::Work(work) => work.run(client).await,
            Self::Message(messages) => messages.run(client).await,
            Self::MessageTemplate(templates) => templates.run(client).await,
            Self::MessageRule(rules) => rules.run(client).await,
            Self::Notification(notifications) => notifications.run(client).await,
            Self::Backups(backups) => backups.run(client).await,
            Self::Export(export) => export.run(client).await,
            Self::AuditLog(log) => log.run(client).await,
            Self::Health(health) => health.run(client).await,
            Self::Job(jobs) => jobs.run(client).await,
        }
    }
}

/// The audit could not look.
#[derive(Debug, thiserror::Error)]
#[error("the audit could not look at the database")]
struct NotLooked;

/// The audit found something.
#[derive(Debug, thiserror::Error)]
#[error("the audit has findings: {0}")]
struct Found(u64);

/// Returns what the program ends with for an error: 2 when an audit could not look, 3 to 7 for what `router enrol` met on the way to a
/// router, else 1.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<first_contact::ContactError>() {
        Some(contact) => contact.exit_code(),
        None if error.is::<NotLooked>() => 2,
        None => 1,
    }
}

/// Prints an error with its causes to standard error, one a line.
pub fn print_error(error: &anyhow::Error) {
    output::print_aside(&describe(error));
}

fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A wrapper that repeats its cause's text would say it twice.
        if !text.trim_end().ends_with(&cause) {
            writeln!(text, "  because: {cause}").expect("a string takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_text_and_an_example() {
        let mut waiting = vec![Cli::command()];
        let mut leaves = 0;
        while let Some(command) = waiting.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name} says nothing of itself");
            if command.has_subcommands() {
                waiting.extend(command.get_subcommands().cloned());
            } else {
                leaves += 1;
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example") && help.contains("mastwire-controller "), "{name} has no example");
                for argument in command.get_arguments() {
                    assert!(argument.get_help().is_some(), "{name} says nothing of {}", argument.get_id());
                }
            }
        }
        assert!(leaves > 40, "{leaves}");
    }

    /// Cuts a line of a shell into words: up to a comment, a pipe, or its end; double quotes hold words together.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for part in line.chars() {
            match part {
                '"' => quoted = !quoted,
                '#' | '|' | '>' | '<' | '&' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().expect("never empty").push(part),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// Says why a line would be refused; a word in a sentence may leave out what a command has to be told.
    fn refused(line: &str, in_a_sentence: bool) -> Option<String> {
        use clap::error::ErrorKind;
        // `mastwire-controller` may stand behind variables.
        let words = words(line).into_iter().skip_while(|word| word != "mastwire-controller");
        let error = Cli::try_parse_from(words).err()?;
        let short = [
            ErrorKind::MissingRequiredArgument,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ErrorKind::MissingSubcommand,
        ];
        let fine = matches!(error.kind(), ErrorKind::DisplayHelp) || in_a_sentence && short.contains(&error.kind());
        (!fine).then(|| format!("{line}\n  {}", error.to_string().lines().next().unwrap_or_default()))
    }

    #[test]
    fn every_command_that_is_shown_somewhere_is_one() {
        let mut wrong = Vec::new();
        let mut shown = 0;
        let mut look = |line: &str, in_a_sentence: bool| {
            shown += 1;
            wrong.extend(refused(line, in_a_sentence));
        };
        let mut waiting = vec![Cli::command()];
        while let Some(command) = waiting.pop() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("\\\n", " ");
            help.lines().filter(|line| line.contains("mastwire-controller ")).for_each(|line| look(line, false));
            waiting.extend(command.get_subcommands().cloned());
        }
        for page in [
            include_str!("../../../README.md"),
            include_str!("../../../ARCHITECTURE.md"),
            include_str!("../../../docs/backup.md"),
            include_str!("../../../docs/enrolment.md"),
        ] {
            page.lines().filter(|line| line.starts_with("mastwire-controller ")).for_each(|line| look(line, false));
            let quoted = page.split('`').filter(|part| part.starts_with("mastwire-controller ") && !part.contains('\n'));
            quoted.for_each(|part| look(part, true));
        }
        assert!(shown > 100, "{shown}");
        assert!(wrong.is_empty(), "{} of {shown}:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn causes_are_told_once() {
        let inner = anyhow::anyhow!("gone");
        let error = inner.context("it broke: gone").context("nothing was done");
        assert_eq!(describe(&error), "error: nothing was done\n  because: it broke: gone\n");
    }
}
