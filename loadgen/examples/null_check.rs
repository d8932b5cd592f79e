//! How fast, how punctual and how cheap is the driver? Against a server in the same process, on another core, that does
//! nothing: `cargo run --release -p loadgen --example null_check -- [SECONDS]`. Prints a line per rate.
//! The server's own work is on its own thread; CPU and lateness are those of the driving thread alone.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use loadgen::driver::{DriveRequest, Driver, Operation, Pace, Placement, Target};
use loadgen::population::Population;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// 1 KiB, as in the comparison of load generators.
const BODY: [u8; 1024] = [b'x'; 1024];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(3.0), |text| text.parse())?;
    let duration = Duration::from_secs_f64(seconds);
    let url: http::Uri = format!("http://{}", start_null_server()?).parse()?;
    let driver = Driver::start(Placement { core: Some(1), raised_priority: true })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "driver on {}", driver.placement())?;
    let check = driver.null_check(url.clone(), duration, CancellationToken::new()).await?;
    writeln!(
        out,
        "closed loop: {:.0} requests/s, {:.2} us CPU per request; open loop at half of it: lateness p99 {} us",
        check.rate_per_s, check.cpu_us_per_request, check.lateness_p99_us
    )?;
    for rate_per_s in [1_000.0, 5_000.0, 10_000.0, 20_000.0, 40_000.0] {
        let target = Target { region: "null".to_owned(), url: url.clone() };
        let nobody = Arc::new(Population::from_parts(0, Vec::new(), Vec::new()));
        let mut request = DriveRequest::new(vec![target], nobody, Pace::Poisson { rate_per_s });
        request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
        request.duration = duration;
        let measured = driver.drive(request, CancellationToken::new()).await?;
        let (record, generator) = (&measured.operations["get"], measured.generator);
        writeln!(
            out,
            "{rate_per_s:>6.0}/s: ok {} of {}, dropped {}, late {:.3} %, lateness p50 {} p99 {} max {} us, \
             {:.2} us CPU per request, {:.0} % of the core",
            record.ok_count,
            record.planned_count,
            record.dropped_count,
            record.late_count as f64 * 100.0 / record.planned_count as f64,
            generator.lateness_p50_us,
            generator.lateness_p99_us,
            generator.lateness_max_us,
            generator.cpu_us as f64 / record.ok_count.max(1) as f64,
            generator.cpu_share * 100.0
        )?;
    }
    Ok(())
}

/// Answers whatever ends with an empty line, on a thread of its own.
fn start_null_server() -> anyhow::Result<std::net::SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY.len());
    let answer: Arc<[u8]> = [head.as_bytes(), &BODY].concat().into();
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0_u8; 4096];
                    let mut filled = 0;
                    // A connection that ends or fails is of no interest to a server that does nothing.
                    while let Ok(count @ 1..) = stream.read(&mut request[filled..]).await {
                        filled += count;
                        if request[..filled].ends_with(b"\r\n\r\n") {
                            filled = 0;
                            if stream.write_all(&answer).await.is_err() {
                                break;
                            }
                        }
                    }
                });
            }
            #[expect(unreachable_code, reason = "names the error type of the block")]
            std::io::Result::Ok(())
        })
    });
    Ok(address)
}
