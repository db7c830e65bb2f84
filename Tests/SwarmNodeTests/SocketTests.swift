import Glibc
import Metainfo
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Swarm
@testable import SwarmNode

@Suite struct SocketTests {
  private static let loopback = IPAddress.v4(IPv4Address(rawValue: 0x7F00_0001))

  @Test func endpointsSurviveTheSystemsForm() {
    var random = SplitMix64(seed: 4)
    for number in 0..<200 {
      let address: IPAddress =
        number % 2 == 0
        ? .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: random.next())))
        : .v6(IPv6Address(high: random.next() | 1, low: random.next()))
      let endpoint = PeerEndpoint(address: address, port: .random(in: 0...65_535, using: &random))
      let found = SocketAddress.with(endpoint) { name, _ in SocketAddress.endpoint(at: name) }
      #expect(found == endpoint)
    }
  }

  @Test func ipv4InClothesOfIPv6IsIPv4() {
    let mapped = PeerEndpoint(address: .v6(IPv6Address(high: 0, low: 0xFFFF_7F00_0001)), port: 9)
    let found = SocketAddress.with(mapped) { name, _ in SocketAddress.endpoint(at: name) }
    #expect(found == PeerEndpoint(address: Self.loopback, port: 9))
  }

  @Test func anAddressInUseIsAnErrorThatNamesIt() throws {
    let wanted = ListenAddress(address: Self.loopback, port: 0)
    let first = try ListenSockets.open([wanted], log: .none)
    defer { close(first[0].descriptor) }
    let port = first[0].endpoint.port
    #expect(port != 0)
    let again = ListenAddress(address: Self.loopback, port: port)
    do throws(NodeError) {
      _ = try ListenSockets.open([wanted, again], log: .none)
      Issue.record("two sockets listen at one address")
    } catch {
      #expect("\(error)" == "cannot listen at 127.0.0.1:\(port): Address already in use")
    }
  }

  @Test func bothFamiliesGetTheSamePort() throws {
    let wanted = [ListenAddress.anyIPv4(port: 0), .anyIPv6(port: 0)]
    let opened = try ListenSockets.open(wanted, log: .none)
    defer { for socket in opened { close(socket.descriptor) } }
    #expect(Set(opened.map(\.endpoint.port)).count == 1)
  }

  /// Exhausts the descriptors of a process of its own.
  @Test func withoutDescriptorsPeersAreRefusedAndTheLoopLives() async {
    await #expect(processExitsWith: .success) {
      let loop = EventLoop()
      let opened = try ListenSockets.open(
        [ListenAddress(address: .v4(IPv4Address(rawValue: 0x7F00_0001)), port: 0)], log: .none)
      let listening = opened[0]
      var accepted: [Int32] = []
      let lines = LineCounter()
      let listener = Listener(
        on: loop, owning: listening.descriptor, log: Log(threshold: .debug) { lines.add($0) }
      ) { socket, _ in accepted.append(socket) }
      // Loads what is loaded late, and takes descriptors for it.
      let timer = DeadlineTimer(on: loop) {}
      var clients: [Int32] = []
      for _ in 0..<4 {
        if case .success(let made) = Sockets.connect(to: listening.endpoint) {
          clients.append(made)
        }
      }
      var held: [Int32] = []
      var limit = rlimit(rlim_cur: 256, rlim_max: 256)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      while true {
        let one = open("/dev/null", O_RDONLY)
        if one < 0 { break }
        held.append(one)
      }
      // Four wait, and there is room for one.
      close(held.removeLast())
      var turns = 0
      let ticker = EventTimer(on: loop, everyMilliseconds: 5) {
        turns += 1
        if turns == 40 { listener.close() }
      }
      _ = timer
      loop.run()
      timer.close()
      ticker.cancel()
      loop.run()
      precondition(accepted.count == 1, "\(accepted.count) accepted")
      precondition(lines.count == 1, "\(lines.count) lines")
      // All others were closed, none is left waiting.
      var ends = 0
      for client in clients where SocketPair.read(client) == nil { ends += 1 }
      precondition(ends == 3, "\(ends) ends")
    }
  }
}

/// Counts lines of a log.
final class LineCounter: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var count: Int { lines.withLock(\.count) }
  var all: [String] { lines.withLock { $0 } }
}
