//! What each reading verb costs real servers, in statements, and that a long page costs no more than a short one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lightmeter::cluster::services::MariaDb;
use photo_app::store::Store;
use photo_app::store::conformance::reading_costs;
use photo_app::store::replicated::ReplicatedStore;
use photo_app::store::sharded::ShardedStore;
use sqlx::{Connection as _, MySqlConnection};

use super::Place;

/// SELECT statements that the servers have carried out so far. Prepared ones count once for each execution.
async fn selects(servers: &[&MariaDb]) -> u64 {
    let mut sum = 0;
    for server in servers {
        let connection = MySqlConnection::connect(&server.url()).await;
        let mut connection = connection.expect("the server answers");
        let row = sqlx::query_as::<_, (String, String)>("SHOW GLOBAL STATUS LIKE 'Com_select'");
        let (_, count) = row.fetch_one(&mut connection).await.expect("it counts statements");
        sum += count.parse::<u64>().expect("a number");
        connection.close().await.expect("it closes");
    }
    sum
}

/// The statements of every verb; asserts that none costs more than its list says.
fn assert_within(costs: &BTreeMap<&'static str, u64>, store: &str, most: impl Fn(&str) -> u64) {
    for (verb, cost) in costs {
        assert!((1..=most(verb)).contains(cost), "{verb} on {store} takes {cost}: {costs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_takes_a_fixed_number_of_statements() {
    let Some(place) = Place::with_mariadb() else { return };
    let server = place.mariadb("counted").await;
    let store = place.mysql_store(&server).await;
    let costs = reading_costs(&store, async || selects(&[&server]).await).await;
    assert_within(&costs, "mysql", |_| 1);

    let mut urls = Vec::new();
    for _ in 0..3 {
        urls.push(place.database(&server).await);
    }
    let store = ShardedStore::connect(&urls, 4).await.expect("the shards connect");
    store.migrate().await.expect("the tables are made");
    let costs = reading_costs(&store, async || selects(&[&server]).await).await;
    // One on each of three shards where people or photos of everybody may be, and one before that says where; one where the id
    // or the name says it.
    assert_within(&costs, "sharded", |verb| match verb {
        "photo_page home" | "comments" => 4,
        "photo_page explore" | "search_users" => 3,
        "user_by_name" | "profile" => 2,
        _ => 1,
    });

    let replica = place.replica(&server, "counted-replica").await;
    let url = place.database(&server).await;
    let database = url.rsplit('/').next().expect("an address ends in its database").to_owned();
    let (primary, copy) = (url, replica.database_url(&database));
    let store = photo_app::store::mysql::MysqlStore::connect(&primary, 4).await;
    store.expect("the primary connects").migrate().await.expect("the tables are made");
    replica.catch_up(&server).await.expect("the replica follows");
    let store = ReplicatedStore::connect(&primary, &[copy], 4).await;
    let store: Arc<dyn Store> = Arc::new(store.expect("both connect"));
    let servers = [&server, &replica];
    let costs = reading_costs(&*store, async || {
        replica.catch_up(&server).await.expect("the replica follows");
        selects(&servers).await
    });
    let costs = costs.await;
    // `catch_up` itself asks both servers, which the bound leaves room for.
    assert_within(&costs, "replicated", |_| 4);
    replica.discard().await;
    server.discard().await;
}
