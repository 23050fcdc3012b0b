//! Who may what by the policies of functions, layers and roles: between two accounts, within one, and for sessions, which go on
//! when the server is another one. The clients are boto3.

use std::sync::Arc;

use expect_test::expect;
use hearth_tests::{
    Folder, Server, Settings, aws_with_key, eventually, hearth_with, python, run_python, run_python_with_key,
};

const LIST: &str = "/2015-03-31/functions/";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess";

/// Makes a key in the data folder of a server, which may be running. Returns its id and its secret.
fn add(folder: &Folder, name: &str, policy: &str, more: &[&str]) -> [String; 2] {
    let data_dir = folder.path().to_str().unwrap();
    let arguments =
        ["credentials", "add", name, "--policy", policy, "--data-dir", data_dir, "--output", "json"];
    let added = hearth_with(&[], &[&arguments[..], more].concat()).json();
    ["AccessKeyId", "SecretAccessKey"].map(|member| added[member].as_str().unwrap().to_owned())
}

fn wait_until_keys_are_asked_for(server: &Server) {
    eventually("the server asks for a key", || (server.http("GET", LIST, b"").status == 403).then_some(()));
}

#[test]
fn another_account_may_what_a_policy_lets_it_and_nobody_what_one_denies() {
    let server = Settings::new().without_walls().start();
    server.create(python("echo", "def handler(event, context):\n    return event\n"));
    let folder = server.data_dir();
    // The owner's key comes last: a server that knows it knows them all.
    let organization = ["--organization-id", "o-1a2b3c4d5e"];
    let of_other = ["--account", "222222222222"];
    let callers = [
        ("bob", add(folder, "bob", "read-only", &[])),
        ("eve", add(folder, "eve", "admin", &of_other)),
        ("dan", add(folder, "dan", "invoke-only", &of_other)),
        ("zoe", add(folder, "zoe", "admin", &[&["--account", "333333333333"], &organization[..]].concat())),
    ];
    let [id, secret] = add(folder, "ada", "admin", &[]);
    let listed = hearth_with(&[], &["credentials", "list", "--data-dir", folder.path().to_str().unwrap()]);
    assert!(listed.success().contains("333333333333"));
    eventually("the last key is known", || {
        let seen = run_python_with_key(&server, (&id, &secret), "session.py", &[&id, &secret, ""]);
        (seen.stdout.trim() == "ok").then_some(())
    });
    let mut arguments = vec![];
    for (name, [id, secret]) in &callers {
        arguments.extend([*name, id.as_str(), secret.as_str()]);
    }
    let seen = run_python_with_key(&server, (&id, &secret), "resource_policies.py", &arguments).json();
    expect![[r#"
        {
          "01 no policy": "owner: ok | bob: no right | eve: not let in | dan: not let in | zoe: not let in",
          "02 in full": "403 AccessDeniedException: User: arn:aws:iam::222222222222:user/eve is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:echo because no resource-based policy allows the lambda:InvokeFunction action",
          "03 the other account": "owner: ok | bob: no right | eve: ok | dan: ok | zoe: not let in",
          "04 only this": "eve: not let in",
          "05 $LATEST is the function": "eve: ok",
          "06 another qualifier": "eve: not let in",
          "07 as an event": "eve: ok",
          "08 another action": "not let in",
          "09 a name is one's own": "403 AccessDeniedException: User: arn:aws:iam::222222222222:user/eve is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:222222222222:function:echo because no resource-based policy allows the lambda:InvokeFunction action",
          "10 no more": "eve: not let in",
          "11 an alias, by name": "owner: ok | bob: no right | eve: ok | dan: not let in | zoe: not let in",
          "12 not the function": "eve: not let in",
          "13 an organization": "owner: ok | bob: no right | eve: not let in | dan: not let in | zoe: ok",
          "14 everybody": "owner: ok | bob: ok | eve: ok | dan: ok | zoe: ok",
          "15 another action": "ok",
          "16 all but the other account": "owner: ok | bob: ok | eve: denied | dan: denied | zoe: ok",
          "17 the other account alone": "owner: denied | bob: denied | eve: ok | dan: ok | zoe: denied",
          "18 nobody": "owner: denied | bob: denied | eve: denied | dan: denied | zoe: denied",
          "19 nor its latest version": "owner: denied",
          "20 nobody sees it": "denied",
          "21 but its policy can be taken away": "ok",
          "22 as before": "owner: ok | bob: no right | eve: not let in | dan: not let in | zoe: not let in",
          "23 what is not known is not taken": "400 InvalidParameterValueException: The provided policy document is invalid: Hearth does not know the condition IpAddress of aws:SourceIp yet",
          "30 iam list_roles": "not let in",
          "30 lambda get_account_settings": "not let in",
          "30 lambda list_functions": "not let in",
          "30 logs describe_log_groups": "not let in",
          "30 s3 list_buckets": "not let in",
          "31 who": "222222222222 arn:aws:iam::222222222222:user/eve",
          "40 no policy": "eve: not let in, by its ARN not let in | dan: no right, by its ARN no right | zoe: not let in, by its ARN not let in",
          "41 used by a function": "403 AccessDeniedException: User: arn:aws:iam::222222222222:user/eve is not authorized to perform: lambda:GetLayerVersion on resource: arn:aws:lambda:us-east-1:000000000000:layer:shared:1 because no resource-based policy allows the lambda:GetLayerVersion action",
          "42 the other account": "eve: ok, by its ARN ok | dan: no right, by its ARN no right | zoe: not let in, by its ARN not let in",
          "43 used by a function": "ok",
          "44 not deleted": "not let in",
          "45 an organization": "eve: not let in, by its ARN not let in | dan: no right, by its ARN no right | zoe: ok, by its ARN ok",
          "50 no such role": "not let in",
          "51 trusted": "owner: not let in | bob: no right | eve: ok | dan: no right | zoe: not let in",
          "52 with an id": "not let in | not let in | ok",
          "53 who": "arn:aws:sts::000000000000:assumed-role/guest/visit",
          "54 a role without a policy": "guest: no right",
          "55 with one": "guest: ok",
          "56 for this function alone": "guest: no right",
          "57 named by the alias": "guest: ok",
          "58 denied by the function": "guest: denied",
          "59 a policy of AWS": "ok",
          "60 and one that denies": "denied by itself"
        }
    "#]]
    .assert_eq(&format!("{seen:#}\n"));
}

/// Begins a session of a role that may list functions; returns what its keys are as arguments.
fn session(server: &Server, key: &[String; 2]) -> [String; 3] {
    let seen = run_python_with_key(server, (&key[0], &key[1]), "assumed_role.py", &[]).json();
    [0, 1, 2].map(|at| seen["keys"][at].as_str().unwrap().to_owned())
}

fn listed_by(server: &Server, keys: &[String; 3]) -> String {
    let arguments = keys.each_ref().map(String::as_str);
    run_python(server, "session.py", &arguments).stdout.trim().to_owned()
}

#[test]
fn a_session_goes_on_with_the_next_server_and_nothing_of_it_is_secret_on_the_disk() {
    let folder = Arc::new(Folder::new());
    let key = add(&folder, "ada", "admin", &[]);
    let start = || Settings::new().without_walls().data_dir(&folder).start();
    let run = |server: &Server, arguments: &[&str]| {
        aws_with_key(server, (&key[0], &key[1]), arguments).success();
    };
    let server = start();
    let keys = session(&server, &key);
    assert_eq!(listed_by(&server, &keys), "ok");
    server.stop();

    let server = start();
    assert_eq!(listed_by(&server, &keys), "ok", "after an end in order");
    server.kill();

    let server = start();
    assert_eq!(listed_by(&server, &keys), "ok", "after a kill");
    // The policies of its role count as they are now.
    run(&server, &["iam", "delete-role-policy", "--role-name", "worker", "--policy-name", "lists"]);
    assert_eq!(listed_by(&server, &keys), "403 AccessDeniedException");
    run(&server, &["iam", "attach-role-policy", "--role-name", "worker", "--policy-arn", READ_ONLY]);
    assert_eq!(listed_by(&server, &keys), "ok");
    server.stop();
    let contents = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_default();
    for name in ["hearth.db", "hearth.db-wal", "sessions.key"] {
        for secret in &keys[1..] {
            let found = contents(name).windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is in {name}");
        }
    }

    let server = start();
    run(&server, &["iam", "detach-role-policy", "--role-name", "worker", "--policy-arn", READ_ONLY]);
    run(&server, &["iam", "delete-role", "--role-name", "worker"]);
    let gone = "403 UnrecognizedClientException";
    assert_eq!(listed_by(&server, &keys), gone, "with its role, its sessions end");
    server.stop();
    // Another master key, another secret: what was begun before is good for nothing.
    let server = start();
    assert_eq!(listed_by(&server, &keys), gone);
    let keys = session(&server, &key);
    server.stop();
    std::fs::remove_file(folder.path().join("sessions.key")).unwrap();
    let server = start();
    assert_eq!(listed_by(&server, &keys), gone);
}

#[test]
fn a_session_begun_while_nobody_had_to_be_known_opens_nothing_later() {
    let folder = Arc::new(Folder::new());
    let server = Settings::new().without_walls().data_dir(&folder).start();
    let keys = session(&server, &["anybody".to_owned(), "nothing".to_owned()]);
    add(&folder, "ada", "admin", &[]);
    wait_until_keys_are_asked_for(&server);
    assert_eq!(listed_by(&server, &keys), "403 AccessDeniedException");
    server.stop();
    let server = Settings::new().without_walls().data_dir(&folder).start();
    assert_eq!(listed_by(&server, &keys), "403 AccessDeniedException", "nor with the next server");
}
