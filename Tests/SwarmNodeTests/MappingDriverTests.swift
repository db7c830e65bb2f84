import Discovery
import Glibc
import Metainfo
import Synchronization
import Testing
import Wire

@testable import SwarmNode

/// What the driver reads from the system and from routers. The rest of it is shown by
/// interop/miniupnpd/mapping.py.
@Suite struct MappingDriverTests {
  /// As Linux 6.1 prints it: two default routes, an unreachable one, and the network's own.
  static let table4 = """
    Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
    wlan0\t00000000\tFE4DA8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
    eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
    eth1\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
    eth0\t004DA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0

    """
  static let table6 = """
    20010db8000000000000000000000000 40 00000000000000000000000000000000 00 \
    00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
    00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
    fe800000000000000000000000000001 00000064 00000001 00000000 00450003     eth0
    00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
    00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo

    """

  @Test func bestDefaultRouteIsTaken() {
    let four = RouteTable.best4(in: Array(Self.table4.utf8))
    #expect(four?.gateway.description == "192.168.77.1" && four?.interface == "eth0")
    let six = RouteTable.best6(in: Array(Self.table6.utf8))
    #expect(six?.gateway.description == "fe80::1" && six?.interface == "eth0")
  }

  @Test func tornTablesHaveNoRouteOrATrueOne() {
    for count in 0..<Self.table4.utf8.count {
      let route = RouteTable.best4(in: Array(Self.table4.utf8.prefix(count)))
      #expect(route == nil || ["192.168.77.1", "192.168.77.254"].contains("\(route!.gateway)"))
    }
    for count in 0..<Self.table6.utf8.count {
      _ = RouteTable.best6(in: Array(Self.table6.utf8.prefix(count)))
    }
    #expect(RouteTable.best4(in: []) == nil && RouteTable.best6(in: [10, 32, 10]) == nil)
  }

  @Test func descriptionIsWhereTheAnswerSays() {
    func location(_ text: String) -> String? { UPnPSearch.location(in: Array(text.utf8)) }
    let url = "http://192.168.77.1:5000/rootDesc.xml"
    #expect(location("HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: \(url)\r\n\r\n") == url)
    #expect(location("HTTP/1.1 200 OK\r\nlocation:\(url)\r\n\r\n") == url)
    #expect(location("HTTP/1.1 200 OK\nLocation: \(url)") == url)
    #expect(location("HTTP/1.1 404 No\r\nLocation: \(url)\r\n\r\n") == nil)
    #expect(location("NOTIFY * HTTP/1.1\r\nLocation: \(url)\r\n\r\n") == nil)
    #expect(location("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n") == nil)
    #expect(location("") == nil)
    let long = "http://192.168.77.1/" + String(repeating: "a", count: 300)
    #expect(location("HTTP/1.1 200 OK\r\nLocation: \(long)\r\n\r\n") == nil)
  }

  @Test func onlyAddressesAreHosts() {
    let full = UPnPSearch.endpoint(of: "http://192.168.77.1:5000/x")
    #expect(full?.description == "192.168.77.1:5000")
    #expect(UPnPSearch.endpoint(of: "http://192.168.77.1/x")?.port == 80)
    for url in [
      "http://router.lan/x", "https://192.168.77.1/x", "http://192.168.77.1:/x",
      "http://192.168.77.1:99999/x", "http://user@192.168.77.1/x", "http:///x", "",
      "http://192.168.77.1:80:80/x", "http://[fe80::1]/x",
    ] {
      #expect(UPnPSearch.endpoint(of: url) == nil, "\(url)")
    }
  }

  /// One after the other, results on the loop, nothing after it is closed.
  @Test func workIsDoneInOrder() {
    let loop = EventLoop()
    let thread = SideThread(on: loop)
    var seen: [Int] = []
    for number in 0..<20 {
      thread.perform({ number * 2 }) { result in
        seen.append(result)
        if number == 10 {
          thread.perform({ 1_000 }) {
            seen.append($0)
            thread.close()
          }
        }
      }
    }
    loop.run()
    #expect(seen == (0..<20).map { $0 * 2 } + [1_000])
    thread.perform({ 1 }) { _ in Issue.record("closed, and does work") }
  }

  /// Work that is under way when it is closed goes on, and nobody hears of it.
  @Test func closingDoesNotWait() {
    let loop = EventLoop()
    let thread = SideThread(on: loop)
    let gate = Gate()
    thread.perform({ while !gate.isOpen.withLock({ $0 }) { sched_yield() } }) {
      Issue.record("closed, and reports")
    }
    thread.close()
    // Ends although the work has not: it waits for the gate.
    loop.run()
    gate.isOpen.withLock { $0 = true }
  }
}

private final class Gate: Sendable {
  let isOpen = Mutex(false)
}
