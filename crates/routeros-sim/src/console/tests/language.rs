//! Values, operators, functions and control.

use expect_test::expect;

use super::{eval, script};

/// One expression a line, each with its type and value.
fn table(expressions: &str) -> String {
    expressions.lines().map(|expression| format!("{expression:<32} {}\n", eval(expression))).collect()
}

#[test]
fn literals_have_types() {
    expect![[r#"
        yes                              > bool true
        no                               > bool false
        12                               > num 12
        -3                               > num -3
        0x1F                             > num 31
        abc                              > str abc
        1d2h                             > time 1d02:00:00
        500ms                            > time 00:00:00.500
        01:02:03                         > time 01:02:03
        1w                               > time 1w00:00:00
        90m                              > time 01:30:00
        10.0.0.1                         > ip 10.0.0.1
        10.0.0.1/24                      > ip-prefix 10.0.0.1/24
        *1A                              > id *1A
        ether1                           > str ether1
        {1;2;3}                          > array 1;2;3
        {a=1;b="x"}                      > array a=1;b=x
        {}                               > array 
        fd00::1                          > ip6 fd00::1
        fd00::/64                        > ip6-prefix fd00::/64
        ""                               > str 
        $undefined                       > nothing 
        [:find abc x]                    > nil 
    "#]]
    .assert_eq(&table(
        r#"yes
no
12
-3
0x1F
abc
1d2h
500ms
01:02:03
1w
90m
10.0.0.1
10.0.0.1/24
*1A
ether1
{1;2;3}
{a=1;b="x"}
{}
fd00::1
fd00::/64
""
$undefined
[:find abc x]"#,
    ));
}

#[test]
fn operators_compute() {
    expect![[r#"
        (1 + 2 * 3)                      > num 7
        ((1 + 2) * 3)                    > num 9
        (7 / 2)                          > num 3
        (7 % 4)                          > num 3
        (5-3)                            > num 2
        (-5 + 2)                         > num -3
        ("3" + 4)                        > num 7
        ("a" . "b" . 5)                  > str ab5
        (10.0.0.1 + 5)                   > ip 10.0.0.6
        (10.0.0.9 - 10.0.0.1)            > num 8
        (1h + 30m)                       > time 01:30:00
        (10s * 6)                        > time 00:01:00
        (1 , 2)                          > array 1;2
        ({1;2} , 3)                      > array 1;2;3
        ({a=1;b=2}->"b")                 > num 2
        ({5;6}->1)                       > num 6
    "#]]
    .assert_eq(&table(
        r#"(1 + 2 * 3)
((1 + 2) * 3)
(7 / 2)
(7 % 4)
(5-3)
(-5 + 2)
("3" + 4)
("a" . "b" . 5)
(10.0.0.1 + 5)
(10.0.0.9 - 10.0.0.1)
(1h + 30m)
(10s * 6)
(1 , 2)
({1;2} , 3)
({a=1;b=2}->"b")
({5;6}->1)"#,
    ));
}

#[test]
fn comparisons_and_conditions_hold() {
    expect![[r#"
        (1 = 1)                          > bool true
        (1 != 1)                         > bool false
        ("1" = 1)                        > bool true
        (true = "true")                  > bool false
        (2 < 10)                         > bool true
        ("2" < 10)                       > bool true
        (2 >= 2)                         > bool true
        ("ab" < "b")                     > bool true
        (10.0.0.2 > 10.0.0.1)            > bool true
        (1h < 2h)                        > bool true
        (true && false)                  > bool false
        (true and true)                  > bool true
        (false || true)                  > bool true
        (false or false)                 > bool false
        (!true)                          > bool false
        (not false)                      > bool true
        (1 = 1 && 2 = 3 || 4 = 4)        > bool true
        ("mw:12" ~ "^mw:")               > bool true
        (10.0.0.0/8)                     > ip-prefix 10.0.0.0/8
        (10/2)                           > num 5
        (1 / 0)                          ! division by zero
        ("a" + 1)                        ! cannot compute with str and num
        (1 && true)                      ! conditional not boolean
        ("a" > 1)                        ! cannot compare str with num
        ([:find abc x] >= 0)             > bool false
        ($undefined = "")                > bool true
    "#]]
    .assert_eq(&table(
        r#"(1 = 1)
(1 != 1)
("1" = 1)
(true = "true")
(2 < 10)
("2" < 10)
(2 >= 2)
("ab" < "b")
(10.0.0.2 > 10.0.0.1)
(1h < 2h)
(true && false)
(true and true)
(false || true)
(false or false)
(!true)
(not false)
(1 = 1 && 2 = 3 || 4 = 4)
("mw:12" ~ "^mw:")
(10.0.0.0/8)
(10/2)
(1 / 0)
("a" + 1)
(1 && true)
("a" > 1)
([:find abc x] >= 0)
($undefined = "")"#,
    ));
}

#[test]
fn functions_answer() {
    expect![[r#"
        [:len "abc"]                     > num 3
        [:len {1;2}]                     > num 2
        [:len $undefined]                > num 0
        [:len 1234]                      > num 4
        [:tostr 1d2h]                    > str 1d02:00:00
        [:tonum "12"]                    > num 12
        [:tonum "x"]                     > nil 
        [:toarray "1,b"]                 > array 1;b
        [:pick "abcdef" 1]               > str b
        [:pick "abcdef" 1 3]             > str bc
        [:pick "abc" 9]                  > str 
        [:pick {5;6;7} 1]                > num 6
        [:pick {5;6;7} 1 9]              > array 6;7
        [:find "a.b.c" "."]              > num 1
        [:find "a.b.c" "." 1]            > num 3
        [:find {5;6} 6]                  > num 1
        [:typeof 10.0.0.0/8]             > str ip-prefix
        [:typeof [:find a b]]            > str nil
        [:typeof $undefined]             > str nothing
        []                               > nothing 
        [:put 1; :len "four"]            > 1
        > num 4
    "#]]
    .assert_eq(&table(
        r#"[:len "abc"]
[:len {1;2}]
[:len $undefined]
[:len 1234]
[:tostr 1d2h]
[:tonum "12"]
[:tonum "x"]
[:toarray "1,b"]
[:pick "abcdef" 1]
[:pick "abcdef" 1 3]
[:pick "abc" 9]
[:pick {5;6;7} 1]
[:pick {5;6;7} 1 9]
[:find "a.b.c" "."]
[:find "a.b.c" "." 1]
[:find {5;6} 6]
[:typeof 10.0.0.0/8]
[:typeof [:find a b]]
[:typeof $undefined]
[]
[:put 1; :len "four"]"#,
    ));
}

#[test]
fn texts_hold_escapes_and_values() {
    let seen = script(
        ":local name \"World\"; :local n 2\n\
         :put \"Hello $name, \\$name \\\"q\\\" \\\\ a\\_b \\41 $($n + 1) $[:len $name]!\"\n\
         :put \"one \\\n    line\"\n\
         :put \"tab\\there\"\n\
         :local \"my-name\" 5; :put (\"<\" . $\"my-name\" . \">\")",
    );
    expect![[r#"
        > Hello World, $name "q" \ a b A 3 5!
        > one line
        > tab	here
        > <5>"#]]
    .assert_eq(&seen);
}

#[test]
fn control_flows() {
    let seen = script(
        r#"
# a comment
:for i from=1 to=3 do={ :put "up $i" }
:for i from=3 to=1 do={ :put "down $i" }
:for i from=0 to=10 step=5 do={ :put "by five $i" }
:foreach x in={1;"b";c} do={ :put "each $x" }
:foreach k,v in={a=1;b=2} do={ :put "$k is $v" }
:foreach i,v in={"x"} do={ :put "$i at $v" }
:foreach x in=[:find a b] do={ :put "never" }
:local n 0
:while ($n < 2) do={ :set n ($n + 1); :put "while $n" }
:do { :set n ($n - 1) } while=($n > 0)
:put "n is $n"
:if ($n = 0) do={ :put "zero" } else={ :put "more" }
:if ($n = 1) do={ :put "one" } else={ :if (true) do={ :put "nested" } }
:if (false) do={ :put "never" }
:do { :put "before"; :error "inner"; :put "never" } on-error={ :put "caught" }
:do { :put "fine" } on-error={ :put "never" }
:do { :foreach x in={1;2} do={ :do { :error "a" } on-error={ :error "b" } } } on-error={ :put "outer" }
:delay 1500ms; :delay 2
:log warning "careful"; /log info message=fine
{ :local n 5; :put "inner $n" }
:put "outer $n"
:error "the end"
:put "never"
"#,
    );
    expect![[r#"
        > up 1
        > up 2
        > up 3
        > down 3
        > down 2
        > down 1
        > by five 0
        > by five 5
        > by five 10
        > each 1
        > each b
        > each c
        > a is 1
        > b is 2
        > 0 at x
        > while 1
        > while 2
        > n is 0
        > zero
        > nested
        > before
        > caught
        > fine
        > outer
        waits 1s500ms
        waits 2s
        log warning: careful
        log info: fine
        > inner 5
        > outer 0
        ! the end"#]]
    .assert_eq(&seen);
}

#[test]
fn an_error_ends_the_loops_and_variables_it_leaves() {
    let seen = script(
        r#":foreach a in={1;2} do={
  :do { :foreach b in={3;4} do={ :local inner 1; :put ("a" . [:error "x"]) } } on-error={ :put "$a $[:typeof $b] $[:typeof $inner]" }
}
:put ("x" . [:do { :put ("a" . [:error "x"]) } on-error={}; :len "abc"])"#,
    );
    expect![[r#"
        > 1 nothing nothing
        > 2 nothing nothing
        > x3"#]]
    .assert_eq(&seen);
}

#[test]
fn a_block_hides_its_variables() {
    let seen = script(":if (true) do={ :local x 1 }\n:put \"x is $[:typeof $x]\"\n:set x 2");
    expect![[r#"
        > x is nothing
        ! unknown variable x"#]]
    .assert_eq(&seen);
}

#[test]
fn a_script_declares_the_globals_it_uses() {
    let mut device = super::Device::default();
    super::script_on(&mut device, ":global shared 5");
    expect!["> nothing"].assert_eq(&super::script_on(&mut device, ":put [:typeof $shared]"));
    expect![[r#"
        > 5
        > 6
        > nothing"#]]
    .assert_eq(&super::script_on(
        &mut device,
        ":global shared; :put \"$shared\"; :set shared 6; :put \"$shared\"; :set shared; :put [:typeof $shared]",
    ));
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = [
        ":parse \"x\"",
        ":resolve example.org",
        ":return 1",
        ":execute {:put 1}",
        ":onerror e in={} do={}",
        ":local f do={ :put 1 }",
        "$f 1",
        ":put (abc)",
        ":put (\"a\" ~ \"(b)\")",
        ":put \"\\FF\"",
        ":put ({1} . \"a\")",
        "/environment print",
    ];
    let seen: String = refused.iter().map(|text| format!("{text:<30} {}\n", script(text))).collect();
    expect![[r#"
        :parse "x"                     ! not supported by the simulator: :parse (line 1 column 2)
        :resolve example.org           ! not supported by the simulator: :resolve (line 1 column 2)
        :return 1                      ! not supported by the simulator: :return (line 1 column 2)
        :execute {:put 1}              ! not supported by the simulator: :execute (line 1 column 2)
        :onerror e in={} do={}         ! not supported by the simulator: :onerror (line 1 column 2)
        :local f do={ :put 1 }         ! not supported by the simulator: defining a function (line 1 column 10)
        $f 1                           ! not supported by the simulator: calling a function (line 1 column 1)
        :put (abc)                     ! not supported by the simulator: the word abc without quotes or $ (line 1 column 10)
        :put ("a" ~ "(b)")             ! not supported by the simulator: ( within a regular expression
        :put "\FF"                     ! not supported by the simulator: bytes above \7F (line 1 column 8)
        :put ({1} . "a")               ! not supported by the simulator: . with an array
        /environment print             ! not supported by the simulator: :environment (line 1 column 2)
    "#]]
    .assert_eq(&seen);
}

#[test]
fn patterns_match() {
    let cases = [
        ("abc", "b"),
        ("abc", "^b"),
        ("abc", "c$"),
        ("abc", "^a.c$"),
        ("abc", "^ab*c$"),
        ("ac", "^ab*c$"),
        ("ac", "^ab+c$"),
        ("abbbc", "^ab+c$"),
        ("ac", "^ab?c$"),
        ("abbc", "^ab?c$"),
        ("x5", "[0-9]"),
        ("x", "[^x]"),
        ("a-b", "[]-]"),
        ("a]b", "[]]"),
        ("mw:1", "^(mw)"),
        ("a|b", "x|b$"),
        ("abc", "x|y"),
        ("a.c", "a\\.c"),
        ("abc", "a\\.c"),
        ("", "^$"),
        ("a", "^$"),
        ("", ""),
        ("a", "*"),
        ("a", "[a"),
    ];
    let seen: String = cases
        .iter()
        .map(|(text, pattern)| match super::super::pattern::matches(text, pattern) {
            Ok(found) => format!("{text} ~ {pattern}: {found}\n"),
            Err(error) => format!("{text} ~ {pattern}: {error}\n"),
        })
        .collect();
    expect![[r#"
        abc ~ b: true
        abc ~ ^b: false
        abc ~ c$: true
        abc ~ ^a.c$: true
        abc ~ ^ab*c$: true
        ac ~ ^ab*c$: true
        ac ~ ^ab+c$: false
        abbbc ~ ^ab+c$: true
        ac ~ ^ab?c$: true
        abbc ~ ^ab?c$: false
        x5 ~ [0-9]: true
        x ~ [^x]: false
        a-b ~ []-]: true
        a]b ~ []]: true
        mw:1 ~ ^(mw): not supported by the simulator: ( within a regular expression
        a|b ~ x|b$: true
        abc ~ x|y: false
        a.c ~ a\.c: true
        abc ~ a\.c: false
         ~ ^$: true
        a ~ ^$: false
         ~ : true
        a ~ *: invalid regular expression
        a ~ [a: invalid regular expression
    "#]]
    .assert_eq(&seen);
}

#[test]
fn limits_end_a_script() {
    let endless = [
        ":local a \"0123456789abcdef\"; :for i from=1 to=12 do={ :set a ($a . $a) }; :while (true) do={ :do { :error $a } on-error={} }",
        ":local a \"x\"; :while (true) do={ :set a ($a . $a) }",
        ":local a {1}; :while (true) do={ :set a ($a , $a) }",
        ":local a {1}; :while (true) do={ :set a {$a} }",
        ":while (true) do={ :put \"01234567890123456789012345678901234567890123456789\" }",
        "/import self",
    ];
    let seen: String = endless
        .iter()
        .map(|text| {
            let mut device = super::Device::default();
            device.scripts.insert("self".to_owned(), "/import self".to_owned());
            let seen = super::script_on(&mut device, text);
            format!("{}\n", seen.lines().last().unwrap_or_default())
        })
        .collect();
    expect![[r#"
        ! limit of the simulator: a script that takes so long
        ! limit of the simulator: a value of 16 MiB
        ! limit of the simulator: a value of 16 MiB
        ! limit of the simulator: arrays nested 8 deep
        ! limit of the simulator: 1 MiB of output
        ! limit of the simulator: scripts that run scripts 16 deep
    "#]]
    .assert_eq(&seen);
    let deep = format!(":put {}1{}", "(".repeat(1000), ")".repeat(1000));
    expect!["! limit of the simulator: brackets nested 48 deep"].assert_eq(&script(&deep));
    let long = format!(":put (1{})", " + 1".repeat(50_000));
    expect!["> 50001"].assert_eq(&script(&long));
}
