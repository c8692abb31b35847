//! Who may do what, on Apache Kafka with an authorizer and on a server that speaks `MongoDB`'s protocol: users and rights are
//! made by the scripts of `deploy`, and everybody logs in and tries everything. The tables here are written out, not read
//! from `deploy/rights.txt`: they are what that file must come to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
mod collections;
#[path = "../support/hospital.rs"]
mod hospital;
#[path = "../support/mongo_server.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod mongo_server;
mod running;
mod script;
#[path = "../support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;
mod topics;

/// To start a broker and to make its users takes more than a minute: one does for all.
#[test]
fn users_of_kafka_may_do_what_the_table_says() {
    let hospital = running::Hospital::new();
    running::all_clients_work_with_the_rights_of_the_table_and_a_right_that_is_taken_costs_nothing(&hospital);
    running::a_wrong_password_is_told(&hospital);
    topics::everybody_may_read_and_write_the_topics_of_the_table_and_no_other(&hospital.kafka);
    topics::a_user_comes_is_blocked_and_goes(&hospital.kafka);
}
