//! Costs that were computed by hand, and rules that hold for all of them.

use hearth_telemetry::journal::{EnvironmentLife, JournalEntry};
use hearth_types::{
    Architecture, ColdReason, EnvironmentId, FunctionName, InitializationType, LogGroupName, LogStreamName,
    RequestId, Runtime, Version,
};
use proptest::prelude::*;

use super::*;

/// 2026-11-30, midnight.
const MIDNIGHT: i64 = 20_787 * 86_400_000;

/// A warm call of 1 s with 1 GB, on demand.
fn call() -> JournalEntry {
    let function = FunctionName::new("f").unwrap();
    JournalEntry {
        request_id: RequestId::random(),
        log_group: LogGroupName::of_function(&function),
        function,
        version: Version::Latest,
        runtime: Runtime::parse("python3.11").unwrap(),
        environment: EnvironmentId::random(),
        initialization_type: InitializationType::OnDemand,
        log_stream: LogStreamName::new("s").unwrap(),
        architecture: Architecture::X86_64,
        memory_size_mb: 1_024,
        ephemeral_storage_mb: 512,
        started_epoch_ms: MIDNIGHT,
        waited_us: 0,
        duration_us: 1_000_000,
        init_us: None,
        extension_init_us: None,
        runtime_init_us: None,
        function_init_us: None,
        extension_wait_us: None,
        extension_overhead_us: None,
        after_call_us: vec![],
        billed_ms: 1_000,
        max_memory_used_mb: 40,
        response_bytes: 100,
        why_cold: None,
        particulars: None,
        status: "success".to_owned(),
        error_type: None,
    }
}

/// The documented example: Duration 133.61 ms and Init 80.00 ms are billed as 214 ms.
fn cold() -> JournalEntry {
    JournalEntry {
        duration_us: 133_610,
        init_us: Some(80_000),
        billed_ms: 214,
        memory_size_mb: 128,
        why_cold: Some(ColdReason::FirstInvocation),
        ..call()
    }
}

fn life(kind: InitializationType, from_ms: i64, to_ms: i64) -> EnvironmentLife {
    let call = call();
    EnvironmentLife {
        environment: call.environment,
        function: call.function,
        version: call.version,
        runtime: call.runtime,
        initialization_type: kind,
        architecture: Architecture::Arm64,
        memory_size_mb: 2_048,
        ephemeral_storage_mb: 512,
        made_epoch_ms: from_ms,
        why_made: ColdReason::Provisioned,
        ended_epoch_ms: to_ms,
        why_ended: None,
        invocations: 0,
        busy_us: 0,
        init_us: 500_000,
    }
}

fn cost(call: &JournalEntry) -> Cost {
    of_call(call, &Prices::ours(), BillingRule::Today)
}

#[test]
fn a_warm_call_of_a_second_with_a_gigabyte_costs_a_request_and_a_gigabyte_second() {
    let cost = cost(&call());
    assert_eq!(cost.requests.to_string(), "0.0000002");
    assert_eq!(cost.duration.to_string(), "0.0000166667");
    assert_eq!(cost.total().to_string(), "0.0000168667");
}

#[test]
fn init_is_billed_today_and_was_free_for_managed_runtimes_on_demand() {
    // 214 ms · 128 MB = 0.02675 GB-s; of it 134 ms are the call's, and 80 ms Init's.
    let today = cost(&cold());
    assert_eq!(today.duration.to_string(), "0.000000279167");
    assert_eq!(today.init.to_string(), "0.000000166667");
    assert_eq!((today.duration + today.init).to_string(), "0.000000445834");
    let before = |call: &JournalEntry| of_call(call, &Prices::ours(), BillingRule::BeforeAugust2025);
    assert_eq!(before(&cold()).init, Money::ZERO);
    assert_eq!(before(&cold()).duration, today.duration);
    let own_runtime = JournalEntry { runtime: Runtime::parse("provided.al2023").unwrap(), ..cold() };
    assert_eq!(before(&own_runtime), today, "who brings a runtime has always paid");
    assert_eq!(BilledTime::of(&cold(), BillingRule::BeforeAugust2025).total_ms(), 134);
}

#[test]
fn architecture_storage_streams_and_provisioned_environments_have_prices_of_their_own() {
    let arm = JournalEntry { architecture: Architecture::Arm64, ..call() };
    assert_eq!(cost(&arm).duration.to_string(), "0.0000133334");
    // 10,240 MB of /tmp are 9.5 GB more than is free: 9.5 · 0.0000000309.
    let storage = JournalEntry { ephemeral_storage_mb: 10_240, ..call() };
    assert_eq!(cost(&storage).ephemeral_storage.to_string(), "0.00000029355");
    // 20 MiB, of which 14 are not free: 14 / 1024 · 0.008.
    let streamed = JournalEntry { response_bytes: 20 << 20, ..call() };
    assert_eq!(cost(&streamed).streaming.to_string(), "0.000109375");
    let provisioned =
        JournalEntry { initialization_type: InitializationType::ProvisionedConcurrency, ..call() };
    assert_eq!(cost(&provisioned).duration.to_string(), "0.0000097222");
}

#[test]
fn keeping_a_provisioned_environment_is_billed_for_the_time_asked_and_its_init_once() {
    let prices = Prices::ours();
    let hour = 3_600_000;
    let kept = life(InitializationType::ProvisionedConcurrency, MIDNIGHT, MIDNIGHT + hour);
    // 2 GB · 3,600 s · 0.0000033334; Init: 2 GB · 0.5 s · 0.0000077778.
    let whole = of_environment(&kept, i64::MIN, i64::MAX, &prices);
    assert_eq!(whole.provisioned.to_string(), "0.02400048");
    assert_eq!(whole.init.to_string(), "0.0000077778");
    let half = of_environment(&kept, MIDNIGHT + hour / 2, i64::MAX, &prices);
    assert_eq!((half.provisioned.to_string(), half.init), ("0.01200024".to_owned(), Money::ZERO));
    let on_demand = life(InitializationType::OnDemand, MIDNIGHT, MIDNIGHT + hour);
    assert_eq!(of_environment(&on_demand, i64::MIN, i64::MAX, &prices), Cost::default());
}

#[test]
fn a_statement_says_what_cold_calls_and_inits_are_of_it() {
    let prices = Prices::ours();
    let mut statement = Statement::new(&prices, BillingRule::Today, By::Day);
    statement.add_call(&cold());
    statement.add_call(&call());
    statement.add_call(&JournalEntry { started_epoch_ms: MIDNIGHT - 1, ..call() });
    let across = life(InitializationType::ProvisionedConcurrency, MIDNIGHT - 1_000, MIDNIGHT + 3_000);
    statement.add_environment(&across, i64::MIN, i64::MAX);
    let rows: Vec<(String, u64, String)> =
        statement.rows().map(|(day, row)| (day, row.requests, row.cost.provisioned.to_string())).collect();
    assert_eq!(
        rows,
        [
            ("2026-11-29".to_owned(), 1, "0.0000066668".to_owned()),
            ("2026-11-30".to_owned(), 2, "0.0000200004".to_owned())
        ]
    );
    let total = statement.total();
    assert_eq!((total.requests, total.cold, total.billed_ms, total.init_ms), (3, 1, 2_214, 80));
    assert_eq!(total.cold_cost, cost(&cold()).total());
}

#[test]
fn what_is_free_and_what_is_cheaper_in_large_months_comes_off_the_sum() {
    let prices = Prices::ours();
    let mut statement = Statement::new(&prices, BillingRule::Today, By::Function);
    // Half a million GB-s on x86_64 and as much on arm64.
    let large = JournalEntry { billed_ms: 500_000_000, duration_us: 500_000_000_000, ..call() };
    statement.add_call(&large);
    statement.add_call(&JournalEntry { architecture: Architecture::Arm64, ..large.clone() });
    let discounts = statement.discounts(true, true);
    // 2 requests, and 400,000 GB-s of the dearer architecture.
    assert_eq!(discounts.free_tier.to_string(), "6.6666804");
    assert_eq!(discounts.tiers, Money::ZERO);
    assert_eq!(statement.discounts(false, false), Discounts::default());
    // 7 billion GB-s: the last billion is cheaper by 0.0000016667 a GB-s.
    let huge = JournalEntry { billed_ms: 7_000_000_000_000, duration_us: 7_000_000_000_000_000, ..call() };
    let mut statement = Statement::new(&prices, BillingRule::Today, By::Function);
    statement.add_call(&huge);
    assert_eq!(statement.discounts(true, false).tiers.to_string(), "1666.70");
}

fn any_call() -> impl Strategy<Value = JournalEntry> {
    let kinds =
        prop_oneof![Just(InitializationType::OnDemand), Just(InitializationType::ProvisionedConcurrency)];
    let sizes = (128_u32..=10_240, 512_u32..=10_240, 0_u64..=200 << 20);
    let times = (0_u64..=900_000_000, proptest::option::of(0_u64..=130_000_000), 0_i64..=90);
    (sizes, times, kinds, any::<bool>(), 0..3_u8).prop_map(|(sizes, times, kind, is_arm, name)| {
        let (memory_size_mb, ephemeral_storage_mb, response_bytes) = sizes;
        let (duration_us, init_us, day) = times;
        JournalEntry {
            function: FunctionName::new(&format!("f{name}")).unwrap(),
            memory_size_mb,
            ephemeral_storage_mb,
            response_bytes,
            duration_us,
            init_us,
            billed_ms: (duration_us + init_us.unwrap_or_default()).div_ceil(1_000),
            why_cold: init_us.map(|_| ColdReason::AllBusy),
            initialization_type: kind,
            architecture: if is_arm { Architecture::Arm64 } else { Architecture::X86_64 },
            started_epoch_ms: MIDNIGHT + day * 86_400_000,
            ..call()
        }
    })
}

proptest! {
    #[test]
    fn the_parts_are_the_whole_and_their_order_does_not_matter(calls in proptest::collection::vec(any_call(), 0..40)) {
        let prices = Prices::ours();
        for rule in BillingRule::ALL {
            let gathered = |by, calls: &[JournalEntry]| {
                let mut statement = Statement::new(&prices, *rule, by);
                let mut sum = Money::ZERO;
                for call in calls {
                    sum += statement.add_call(call).total();
                }
                let rows: Money = statement.rows().map(|(_, row)| row.cost.total()).sum();
                let requests: u64 = statement.rows().map(|(_, row)| row.requests).sum();
                assert_eq!((rows, requests), (sum, calls.len() as u64));
                assert_eq!(statement.total().cost.total(), sum);
                assert!(statement.discounts(true, true).free_tier <= sum);
                (sum, statement.discounts(true, true))
            };
            let backwards: Vec<JournalEntry> = calls.iter().rev().cloned().collect();
            prop_assert_eq!(gathered(By::Function, &calls), gathered(By::Day, &backwards));
        }
    }

    #[test]
    fn a_call_is_billed_what_its_report_says_and_never_more_by_the_rule_of_before(call in any_call()) {
        let time = BilledTime::of(&call, BillingRule::Today);
        prop_assert_eq!(time.total_ms(), call.billed_ms);
        let prices = Prices::ours();
        let before = of_call(&call, &prices, BillingRule::BeforeAugust2025).total();
        prop_assert!(before <= of_call(&call, &prices, BillingRule::Today).total());
    }

    #[test]
    fn days_of_a_kept_environment_add_up_to_its_life(made in 0_i64..500_000_000, kept in 0_i64..900_000_000) {
        let prices = Prices::ours();
        let life = life(InitializationType::ProvisionedConcurrency, made, made + kept);
        let mut statement = Statement::new(&prices, BillingRule::Today, By::Day);
        statement.add_environment(&life, i64::MIN, i64::MAX);
        let whole = of_environment(&life, i64::MIN, i64::MAX, &prices);
        prop_assert_eq!(statement.total().cost, whole);
    }
}
