//! Commands of menus, conditions and what the device is told.

use expect_test::expect;

use super::{Device, script, script_on};

/// Three secrets, the last disabled and without a comment.
fn device() -> Device {
    let mut device = Device::default();
    script_on(
        &mut device,
        "/ppp secret\n\
         add name=ann password=a profile=basic comment=\"mw:000000000001\"\n\
         add name=bob password=b profile=basic comment=foreign\n\
         add name=eve password=c profile=fast disabled=yes",
    );
    device
}

#[test]
fn paths_are_written_in_many_ways() {
    let seen = script(
        r#"/ip address add address=10.0.0.1/24 interface=ether1
/ip/address/add address=10.0.0.2/24 interface=ether1
/ip/address add address=10.0.0.3/24 interface=ether1
/ip address
add address=10.0.0.4/24 interface=ether1 \
    comment="two lines"
..address add address=10.0.0.5/24 interface=ether1
.. address
add address=10.0.0.6/24 interface=et\
    her1
/
ip address add address=10.0.0.7/24
/ip address { add address=10.0.0.8/24; add address=10.0.0.9/24 }
:ip address add address=10.0.0.10/24
/interface wireguard
peers add interface=mw allowed-address=10.10.0.1/32,10.10.0.2/32 public-key="ab=="
"#,
    );
    expect![[r#"
        /ip/address add address=10.0.0.1/24 interface=ether1
        /ip/address add address=10.0.0.2/24 interface=ether1
        /ip/address add address=10.0.0.3/24 interface=ether1
        /ip/address add address=10.0.0.4/24 interface=ether1 comment=two lines
        /ip/address add address=10.0.0.5/24 interface=ether1
        /ip/address add address=10.0.0.6/24 interface=ether1
        /ip/address add address=10.0.0.7/24
        /ip/address add address=10.0.0.8/24
        /ip/address add address=10.0.0.9/24
        /ip/address add address=10.0.0.10/24
        /interface/wireguard/peers add interface=mw allowed-address=10.10.0.1/32,10.10.0.2/32 public-key=ab=="#]]
    .assert_eq(&seen);
}

#[test]
fn a_block_gives_the_menu_back() {
    let seen = script(
        "/ip address\n:if (true) do={ /ppp secret; add name=x }\n:put [:len [/ppp secret; find]]\nadd address=[/system identity get name]",
    );
    expect![[r#"
        /ppp/secret add name=x
        > 1
        /system/identity get value-name=name
        /ip/address add address=MikroTik"#]]
    .assert_eq(&seen);
}

#[test]
fn arguments_are_told_as_they_are_written() {
    let seen = script(
        r#":local secret "p w"; :local t 1d2h; :local flag true; :local list {"a";"b"}
/ppp secret add name=yes password=$secret profile=12 comment="" disabled=$flag
/ppp secret add name=("x" . 1) password=$t profile=$list comment=[:tostr 5]
/ppp secret set [find name=x1] !remote-address comment=
/ppp secret set numbers=x1 password=$nothing
/ppp secret disable [find profile=12]
/ppp secret enable *1
/ppp secret remove [find name=nobody]
/ppp secret add name=code comment={ :put "$a}" ; /ip address print }
"#,
    );
    expect![[r#"
        /ppp/secret add name=yes password=p w profile=12 comment= disabled=yes
        /ppp/secret add name=x1 password=1d2h profile=a,b comment=5
        /ppp/secret set numbers=*2 comment= !remote-address
        /ppp/secret set numbers=x1 password=
        /ppp/secret disable numbers=*1
        /ppp/secret enable numbers=*1
        /ppp/secret remove numbers=
        /ppp/secret add name=code comment= :put "$a}" ; /ip address print "#]]
    .assert_eq(&seen);
}

#[test]
fn rows_are_found() {
    let conditions = [
        "",
        "where name=bob",
        "name=\"bob\"",
        "where name=\"bob\" and disabled=no",
        "where name=\"bob\" disabled=no",
        "where disabled",
        "where !disabled",
        "where disabled=yes",
        "where comment~\"^mw:\"",
        "where !(comment~\"^mw:\")",
        "where comment=\"\"",
        "where profile=basic && (name=ann || name=eve)",
        "where profile=basic or name=eve",
        "where name!=ann",
        "where .id=*2",
        "where name>\"b\"",
        "where name=(\"b\" . \"ob\")",
        "where name=$who",
        "where name=$name",
        "where comment=$comment",
        "where name=\"$name\"",
        "where $profile=basic",
        "where unknown=1",
        "where comment",
    ];
    let mut device = device();
    let seen: String = conditions
        .iter()
        .map(|condition| {
            let text = format!(
                ":local who bob; :local name bob; :local comment foreign; :local profile fast\n\
                 :put [/ppp secret find {condition}]"
            );
            format!("{condition:<45} {}\n", script_on(&mut device, &text))
        })
        .collect();
    expect![[r#"
                                                      > *1;*2;*3
        where name=bob                                > *2
        name="bob"                                    > *2
        where name="bob" and disabled=no              > *2
        where name="bob" disabled=no                  > *2
        where disabled                                > *3
        where !disabled                               > *1;*2
        where disabled=yes                            > *3
        where comment~"^mw:"                          > *1
        where !(comment~"^mw:")                       > *2;*3
        where comment=""                              > *3
        where profile=basic && (name=ann || name=eve) > *1
        where profile=basic or name=eve               > *1;*2;*3
        where name!=ann                               > *2;*3
        where .id=*2                                  > *2
        where name>"b"                                > *2;*3
        where name=("b" . "ob")                       > *2
        where name=$who                               > *2
        where name=$name                              > *1;*2;*3
        where comment=$comment                        > *1;*2;*3
        where name="$name"                            > *1;*2;*3
        where $profile=basic                          > *1;*2
        where unknown=1                               > 
        where comment                                 ! conditional not boolean
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_name_of_digits_is_no_number() {
    let mut device = Device::default();
    script_on(&mut device, "/ppp secret\nadd name=7\nadd name=007\nadd name=1h\nadd name=60m");
    let found = script_on(
        &mut device,
        "/ppp secret\n:put [find name=7]; :put [find name=007]; :put [find name=60m]; :put [find name!=7 name!=007]",
    );
    expect![[r#"
        > *1
        > *2
        > *4
        > *3;*4"#]]
    .assert_eq(&found);
}

#[test]
fn a_variable_named_as_a_property_finds_every_row() {
    let changed = |name: &str| {
        let mut device = device();
        script_on(&mut device, &format!(":local {name} bob\n/ppp secret set [find name=${name}] profile=changed"));
        device.tables["/ppp/secret"].iter().filter(|row| row["profile"].text() == "changed").count()
    };
    assert_eq!((changed("mwName"), changed("name")), (1, 3));
}

#[test]
fn values_are_got() {
    let seen = script_on(
        &mut device(),
        r#":put [/ppp secret get [find name=bob] comment]
:put [/ppp secret get bob value-name=comment]
:put [:typeof [/ppp secret get eve comment]]
:put [/system identity get name]
/system identity set name=x
:if ([/ppp secret get eve disabled]) do={ :put "eve is off" }
:if ([/ppp secret get eve disabled] = "true") do={ :put "never" }
:foreach s in=[/ppp secret find where profile=basic] do={ :put [/ppp secret get $s name] }
/ppp secret
:foreach s in=[find] do={ set $s comment="n $[get $s name]" }
:put [find comment~"^n e"]
"#,
    );
    expect![[r#"
        /ppp/secret get numbers=*2 value-name=comment
        > foreign
        /ppp/secret get numbers=bob value-name=comment
        > foreign
        /ppp/secret get numbers=eve value-name=comment
        > nil
        /system/identity get value-name=name
        > MikroTik
        /system/identity set name=x
        /ppp/secret get numbers=eve value-name=disabled
        > eve is off
        /ppp/secret get numbers=eve value-name=disabled
        /ppp/secret get numbers=*1 value-name=name
        > ann
        /ppp/secret get numbers=*2 value-name=name
        > bob
        /ppp/secret get numbers=*1 value-name=name
        /ppp/secret set numbers=*1 comment=n ann
        /ppp/secret get numbers=*2 value-name=name
        /ppp/secret set numbers=*2 comment=n bob
        /ppp/secret get numbers=*3 value-name=name
        /ppp/secret set numbers=*3 comment=n eve
        > *3"#]]
    .assert_eq(&seen);
}

#[test]
fn print_shows_counts_and_gives_rows() {
    let seen = script_on(
        &mut device(),
        r#"/ppp secret print
/ppp secret print detail without-paging where name=bob
/ppp secret print count-only
:put [/ppp secret print count-only where disabled=no]
:local rows [/ppp secret print as-value where name=bob]
:put [:len $rows]
:put (($rows->0)->"comment")
"#,
    );
    expect![[r#"
        /ppp/secret print
        > 3 rows
        > shown None
        /ppp/secret print detail=yes without-paging=yes
        > 3 rows
        > shown Some(["*2"])
        > 3
        > 2
        > 1
        > foreign"#]]
    .assert_eq(&seen);
}

#[test]
fn unknown_names_are_refused_where_they_stand() {
    let texts = [
        "/ip adress add",
        "/ip address ad address=1",
        "foo",
        "/ip address add foo=bar",
        "/ip address add 10.0.0.1/24",
        "/ip address add address=1 !foo",
        "/ip address print foo",
        "/system identity get 0 name",
        "/ip address add address=a=b",
        "/ip address (",
        "/ip address add address=$x.1",
        "/ip/address/find where",
        "/ip address add address=bad",
        "/ip address remove *9",
        "/system identity print",
        ":put \"x\" y",
        ":put",
        ":for i from=1 do={}",
        ":if (true)",
        "add",
        "/ip address\n add x=1",
    ];
    let seen: String = texts.iter().map(|text| format!("{text:<32} {}\n", script(text))).collect();
    expect![[r#"
        /ip adress add                   ! bad command name adress (line 1 column 5)
        /ip address ad address=1         ! bad command name ad (line 1 column 13)
        foo                              ! bad command name foo (line 1 column 1)
        /ip address add foo=bar          ! expected end of command (line 1 column 17)
        /ip address add 10.0.0.1/24      ! expected end of command (line 1 column 17)
        /ip address add address=1 !foo   ! expected end of command (line 1 column 27)
        /ip address print foo            ! expected end of command (line 1 column 19)
        /system identity get 0 name      ! expected end of command (line 1 column 24)
        /ip address add address=a=b      ! expected end of command (line 1 column 26)
        /ip address (                    ! expected command name (line 1 column 13)
        /ip address add address=$x.1     ! expected end of command (line 1 column 27)
        /ip/address/find where           
        /ip address add address=bad      /ip/address add address=bad
        ! invalid value for argument address
        /ip address remove *9            /ip/address remove numbers=*9
        ! no such item
        /system identity print           ! bad command name print (line 1 column 18)
        :put "x" y                       ! expected end of command (line 1 column 10)
        :put                             ! missing value(s) of argument(s) message (line 1 column 1)
        :for i from=1 do={}              ! expected end of command (line 1 column 15)
        :if (true)                       ! missing value(s) of argument(s) do (line 1 column 1)
        add                              ! bad command name add (line 1 column 1)
        /ip address
         add x=1             ! expected end of command (line 2 column 6)
    "#]]
    .assert_eq(&seen);
}

#[test]
fn what_comes_later_is_waited_for() {
    let mut device = Device::default();
    device.scripts.insert("block.rsc".to_owned(), ":local x 1\n:delay 1s\n/ip address add address=10.0.0.1/24".to_owned());
    device.scripts.insert("broken.rsc".to_owned(), "/ip address add address=10.0.0.2/24\n/ip addres".to_owned());
    let seen = script_on(
        &mut device,
        r#":put [/tool fetch url="https://[::1]/x" output=user]
/import block.rsc
:put [:typeof $x]
:do { /import broken.rsc } on-error={ :put "caught" }
/import file-name=broken.rsc
"#,
    );
    expect![[r#"
        /tool fetch url=https://[::1]/x output=user
        waits for the answer
        > later
        / import file-name=block.rsc
        waits 1s
        /ip/address add address=10.0.0.1/24
        > nothing
        / import file-name=broken.rsc
        > caught
        / import file-name=broken.rsc
        ! bad command name addres (line 2 column 5)"#]]
    .assert_eq(&seen);
}
