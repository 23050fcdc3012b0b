use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::imports::Import;

fn collected(lines: &[&str]) -> ImportProfile {
    let now = Instant::now();
    let collector = ImportCollector::new(Clock::new(now, || 0));
    let mut stream = collector.open().unwrap();
    // In pieces that are no lines.
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    for piece in text.as_bytes().chunks(7) {
        stream.push(piece);
    }
    drop(stream);
    collector.profile(now + Duration::from_secs(10))
}

fn check(lines: &[&str], expected: &Expect) {
    let profile = collected(lines);
    let mut text = String::new();
    for import in &profile.imports {
        let ms = |duration: Duration| duration.as_millis();
        let Import { name, total, own, depth, .. } = import;
        write!(text, "{}{} {} {}", "  ".repeat(*depth), name.escape_debug(), ms(*total), ms(*own)).unwrap();
        if let Some((file, line)) = &import.imported_by {
            write!(text, " by {file}:{}", line.map_or("?".to_owned(), |line| line.to_string())).unwrap();
        }
        if let (Some(all), Some(own)) = (import.memory_kb, import.own_memory_kb) {
            write!(text, " {all} kB {own} kB").unwrap();
        }
        if let Some(error) = &import.error {
            write!(text, " failed: {error}").unwrap();
        }
        if let Some(awaited) = import.awaited {
            write!(text, " awaited {}", ms(awaited)).unwrap();
        }
        text.push_str(if import.is_unfinished { " unfinished\n" } else { "\n" });
    }
    writeln!(text, "complete: {}, left out: {}", profile.is_complete, profile.left_out).unwrap();
    expected.assert_eq(&text);
}

#[test]
fn imports_within_imports_have_their_own_time_and_the_largest_comes_first() {
    check(
        &[
            r#"["h","/var/task",30,1000,0]"#,
            r#"["b",1,0,"python","app","/var/runtime/bootstrap.py",9,0,0,1000]"#,
            r#"["b",2,1,"python","small","/var/task/app.py",1,0,1000,1000]"#,
            r#"["e",2,11000,1100,"/var/task/small.py",null]"#,
            r#"["b",3,1,"python","large","/var/task/app.py",2,0,20000,1100]"#,
            r#"["b",4,3,"python","missing","/var/task/large.py",2,0,30000,1100]"#,
            r#"["e",4,30100,1100,null,"ModuleNotFoundError: no"]"#,
            r#"["e",3,320000,51100,"/var/task/large.py",null]"#,
            r#"["b",5,0,"python","aside","/var/task/large.py",2,1,100000,1100]"#,
            r#"["e",5,200000,1200,null,null]"#,
            r#"["e",1,330000,51200,"/var/task/app.py",null]"#,
            r#"["d",331000,50]"#,
        ],
        &expect![[r#"
            app 330 20 50200 kB 100 kB
              large 300 299 by app.py:2 50000 kB 50000 kB
                missing 0 0 by large.py:2 0 kB 0 kB failed: ModuleNotFoundError: no
              small 10 10 by app.py:1 100 kB 100 kB
            aside 100 100 by large.py:2 100 kB 100 kB
            complete: true, left out: 0
        "#]],
    );
}

#[test]
fn es_modules_are_under_the_first_that_imports_them_and_their_waiting_is_told_apart() {
    check(
        &[
            r#"["h","/var/task",6,null,0]"#,
            r#"["l",1000,true,false]"#,
            r#"["i","file:///var/runtime/handler.js","file:///var/task/app.mjs",null]"#,
            r#"["i","file:///var/task/app.mjs","file:///var/task/one.mjs",1]"#,
            r#"["i","file:///var/task/app.mjs","file:///var/task/two%20.mjs",2]"#,
            r#"["i","file:///var/task/one.mjs","file:///var/task/two%20.mjs",3]"#,
            r#"["i","file:///var/task/two%20.mjs","file:///var/task/app.mjs",1]"#,
            r#"["u","file:///var/task/app.mjs","absent",4,"ERR_MODULE_NOT_FOUND: no"]"#,
            r#"["b",1,0,"module","file:///var/task/two%20.mjs",null,null,0,51000,null]"#,
            r#"["b",2,1,"commonjs","/var/task/node_modules/pkg/index.js","/var/task/two .mjs",null,0,52000,null]"#,
            r#"["e",2,152000,null,null,null]"#,
            r#"["e",1,153000,null,null,null]"#,
            r#"["b",3,0,"module","file:///var/task/one.mjs",null,null,0,153000,null]"#,
            r#"["w",3,163000]"#,
            r#"["e",3,263000,null,null,null]"#,
            r#"["b",4,0,"module","file:///var/task/app.mjs",null,null,0,263000,null]"#,
        ],
        // The module in which Init ended lasted as long as Init.
        &expect![[r#"
            app.mjs 9848 9736 unfinished
              one.mjs 112 10 by app.mjs:1 awaited 110
                two .mjs 102 2 by one.mjs:3
                  pkg/index.js 100 100 by two .mjs:?
              absent 0 0 by app.mjs:4 failed: ERR_MODULE_NOT_FOUND: no
            resolving, reading and compiling 3 ES modules 50 50
            complete: false, left out: 0
        "#]],
    );
}

#[test]
fn records_that_make_no_sense_are_counted_and_change_nothing() {
    let long = format!(r#"["b",9,0,"python","{}","",1,0,1,1]"#, "x".repeat(20_000));
    check(
        &[
            "not JSON",
            r#"{"b":1}"#,
            r#"["z"]"#,
            r#"["b",1,0,"python","before the first","",1,0,1,1]"#,
            r#"["h","/var/task",30,1000,0]"#,
            r#"["h","/etc",31,1,0]"#,
            r#"["b",1,0,"python","twice","",1,0,1,1]"#,
            r#"["b",2,2,"no kind","a","",1,0,1,1]"#,
            r#"["b",3,0,"python","a","",1,0,1e300,1]"#,
            r#"["b",4,0,"python","a","",1,0,99999999999999999999,1]"#,
            r#"["b",5,1,"python","deep\u001b[2J","",1,0,10,-5]"#,
            r#"["e",5,1,9223372036854775807,null,null]"#,
            r#"["e",5,99,1,null,null]"#,
            r#"["e",77,99,1,null,null]"#,
            &long,
        ],
        &expect![[r#"
            before the first 9999 9999 unfinished
              deep\u{1b}[2J 0 0 by :1
            complete: false, left out: 11
        "#]],
    );
}

#[test]
fn a_profile_is_bounded_and_taken_once() {
    let mut lines = vec![r#"["h","",0,null,0]"#.to_owned()];
    lines.extend((1..=20_500).map(|n| format!(r#"["b",{n},{},"python","m",null,null,0,{n},null]"#, n - 1)));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let profile = collected(&lines);
    assert_eq!((profile.imports.len(), profile.left_out), (401, 20_500 - 401));

    let collector = ImportCollector::new(Clock::new(Instant::now(), || 0));
    let stream = collector.open().unwrap();
    assert!(collector.open().is_none());
    drop(stream);
    assert!(collector.open().is_none());
    assert!(!collector.profile(Instant::now()).has_begun);
}
