import TestSupport
import Testing
import Wire

@testable import Simulator

/// Somebody who writes all that he was given, and keeps all that comes.
final class Correspondent: SocketOwner {
  var socket: Socket?
  var outgoing: ArraySlice<UInt8> = []
  var incoming: [UInt8] = []
  var isConnected = false
  var ended: String?

  func write() {
    guard let socket, !outgoing.isEmpty else { return }
    let count = outgoing.withUnsafeBytes { socket.write($0) }
    outgoing = outgoing.dropFirst(count)
  }

  func socketConnected(_ socket: Socket) {
    isConnected = true
    write()
  }
  func socketReadable(_ socket: Socket) { incoming += socket.read(1 << 20) }
  func socketWritable(_ socket: Socket) { write() }
  func socketClosed(_ socket: Socket, reason: String) { ended = reason }
}

@Suite struct NetworkTests {
  private let world: World
  private let network: Network
  private let left = Correspondent()
  private let right = Correspondent()
  private let hosts: [Host]

  init() {
    let world = World(seed: 7)
    let network = Network(world: world)
    hosts = (0..<2).map { _ in
      network.addHost(uploadRate: 100_000, downloadRate: 50_000, latency: .milliseconds(10))
    }
    (self.world, self.network) = (world, network)
  }

  private func connect() {
    let right = right
    hosts[1].listeners[1] = { socket in
      right.socket = socket
      return right
    }
    left.socket = network.connect(from: hosts[0], to: hosts[1].endpoint(1), owner: left)
  }

  @Test(arguments: [0.0, 0.5, 1.0])
  func bytesComeInOrder(shredChance: Double) {
    network.shredChance = shredChance
    var random = SplitMix64(seed: 3)
    let bytes = random.bytes(300_000)
    let answer = random.bytes(100_000)
    (left.outgoing, right.outgoing) = (bytes[...], answer[...])
    connect()
    world.run(until: .seconds(1)) { right.socket != nil }
    right.write()
    world.run(until: .seconds(60))
    #expect(right.incoming == bytes)
    #expect(left.incoming == answer)
  }

  @Test func linesAreAsFastAsTheyAre() {
    left.outgoing = [UInt8](repeating: 1, count: 500_000)[...]
    connect()
    world.run(until: .seconds(60)) { right.incoming.count == 500_000 }
    // The line in has 50,000 bytes a second.
    #expect(world.now > .seconds(10) && world.now < .seconds(12))
  }

  @Test func aSocketTakesOnlyItsWindow() {
    hosts[1].listeners[1] = { [right] socket in
      right.socket = socket
      return Deaf.shared
    }
    left.outgoing = [UInt8](repeating: 1, count: 5 << 20)[...]
    left.socket = network.connect(from: hosts[0], to: hosts[1].endpoint(1), owner: left)
    world.run(until: .seconds(300))
    let taken = 5 << 20 - left.outgoing.count
    #expect(right.socket.map { taken <= $0.window + (left.socket?.window ?? 0) } == true)
  }

  @Test func whatWasTakenArrivesAfterClose() {
    left.outgoing = [UInt8](repeating: 2, count: 10_000)[...]
    connect()
    world.run(until: .seconds(10)) { left.isConnected }
    left.socket?.close()
    world.run(until: .seconds(10))
    #expect(right.incoming.count == 10_000)
    #expect(right.ended == "closed by the peer")
    #expect(network.sockets.isEmpty)
  }

  @Test func aPartitionHoldsBytesBack() {
    connect()
    world.run(until: .seconds(1))
    hosts[0].part = 1
    left.outgoing = [1, 2, 3]
    left.write()
    world.run(until: .seconds(20))
    #expect(right.incoming == [])
    network.heal()
    world.run(until: .seconds(21))
    #expect(right.incoming == [1, 2, 3])
  }

  @Test func aLongPartitionEndsConnections() {
    connect()
    world.run(until: .seconds(1))
    hosts[0].part = 1
    left.outgoing = [1, 2, 3]
    left.write()
    world.run(until: .seconds(200))
    #expect(left.ended == "timed out")
    #expect(right.ended == nil)
    network.heal()
    right.outgoing = [1]
    right.write()
    world.run(until: .seconds(400))
    #expect(right.ended == "connection reset")
  }

  @Test func aHostWithoutPowerSaysNothing() {
    connect()
    world.run(until: .seconds(1))
    network.stop(hosts[1], isSilent: true)
    world.run(until: .seconds(300))
    #expect(left.ended == nil)
    left.outgoing = [1]
    left.write()
    world.run(until: .seconds(600))
    #expect(left.ended == "timed out")
  }

  @Test func attemptsFail() {
    left.socket = network.connect(from: hosts[0], to: hosts[1].endpoint(9), owner: left)
    world.run(until: .seconds(1))
    #expect(left.ended == "connection refused")
    network.hangChance = 1
    right.socket = network.connect(from: hosts[0], to: hosts[1].endpoint(9), owner: right)
    world.run(until: .seconds(10))
    #expect(right.ended == nil)
    world.run(until: .seconds(200))
    #expect(right.ended == "timed out")
  }

  @Test func resetsAreTold() {
    connect()
    world.run(until: .seconds(1))
    network.breakConnection()
    #expect(left.ended == "connection reset" && right.ended == "connection reset")
    #expect(network.sockets.isEmpty)
  }
}

/// Never reads.
private final class Deaf: SocketOwner, @unchecked Sendable {
  static let shared = Deaf()
  func socketConnected(_ socket: Socket) {}
  func socketReadable(_ socket: Socket) {}
  func socketWritable(_ socket: Socket) {}
  func socketClosed(_ socket: Socket, reason: String) {}
}
