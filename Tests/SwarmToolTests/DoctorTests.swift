import Testing
import Wire

@testable import SwarmTool

@Suite struct DoctorTests {
  typealias Check = Diagnosis.Check
  typealias Verdict = Diagnosis.Verdict

  /// A node with which all is well, as `GET /v1/node` has it.
  static let healthy = """
    {"listening": ["0.0.0.0:6881", "[::]:6881"],
     "dht": {"ipv4": {"good_nodes": 40, "other_nodes": 2, "external_address": "203.0.113.7"},
       "ipv6": null, "bootstrapping": false, "fault": null},
     "local_network": {"interfaces": [{"name": "eth0", "addresses": ["192.168.1.5"]}],
       "mdns": true, "local_discovery": true, "faults": []},
     "mappings": [{"protocol": "tcp", "port": 6881, "state": "mapped", "router": "192.168.1.1",
       "service": "UPnP", "external_address": "203.0.113.7", "external_port": 6881,
       "behind_another_router": false, "reason": null}]}
    """

  static func facts(_ node: String = healthy) throws -> DoctorFacts {
    var facts = DoctorFacts()
    facts.node = try JSONParser.parse(Array(node.utf8), limit: 1 << 20)
    facts.clock.now = 1_800_000_000
    facts.disk = .init(path: "/state", free: 10 << 30)
    facts.limits = .init(descriptors: 4_096, memory: 1 << 30)
    return facts
  }

  static func one(_ check: Check, in facts: DoctorFacts) throws -> Diagnosis {
    let found = facts.diagnoses
    #expect(found.map(\.check) == Check.allCases.filter { $0 != .peers })
    return try #require(found.first { $0.check == check })
  }

  @Test func aMachineOnWhichAllIsWell() throws {
    let found = try Self.facts().diagnoses
    #expect(found.allSatisfy { $0.verdict == .fine && $0.advice == nil })
    #expect(
      found.map(\.lines) == [
        "ok       ports: free: 0.0.0.0:6881, [::]:6881",
        "ok       mapping: a router forwards 203.0.113.7:6881 to this machine",
        "ok       DHT: 42 nodes, which see us at 203.0.113.7",
        "ok       local network: multicast DNS on eth0",
        "ok       clock: 2027-01-15 08:00:00 UTC",
        "ok       disk: 10 GiB free at /state",
        "ok       limits: 4096 open files, 1 GiB of memory",
      ])
    var daemon = try Self.facts()
    daemon.isDaemon = true
    #expect(try Self.one(.ports, in: daemon).text.hasPrefix("the daemon listens at"))
  }

  /// What is changed in the JSON of the node, which check tells of it, how, and a word of what to do.
  static let faults: [(String, String, Check, Verdict, String)] = [
    ("\"0.0.0.0:6881\", \"[::]:6881\"", "", .ports, .fault, "--listen"),
    (
      "\"behind_another_router\": false", "\"behind_another_router\": true", .mapping, .warning,
      "6881"
    ),
    ("\"state\": \"mapped\"", "\"state\": \"failed\"", .mapping, .warning, "UPnP"),
    ("\"state\": \"mapped\"", "\"state\": \"searching\"", .mapping, .warning, "firewall"),
    ("\"state\": \"mapped\"", "\"state\": \"no_router\"", .mapping, .warning, "forward"),
    ("\"good_nodes\": 40", "\"good_nodes\": 0", .dht, .fault, "UDP port 6881"),
    ("\"good_nodes\": 40", "\"good_nodes\": 1", .dht, .warning, "wait"),
    ("\"fault\": null", "\"fault\": \"no socket\"", .dht, .fault, "--no-dht"),
    ("\"mdns\": true", "\"mdns\": false", .localNetwork, .warning, "5353"),
    ("\"faults\": []", "\"faults\": [\"no\"]", .localNetwork, .warning, "--no-lan"),
    (
      "{\"name\": \"eth0\", \"addresses\": [\"192.168.1.5\"]}", "", .localNetwork, .warning,
      "--peer"
    ),
  ]

  @Test(arguments: faults)
  func whatIsWrongWithTheNode(
    _ old: String, _ new: String, _ check: Check, _ verdict: Verdict, _ word: String
  ) throws {
    let parts = Self.healthy.split(separator: old, omittingEmptySubsequences: false)
    #expect(parts.count == 2)
    let found = try Self.one(check, in: try Self.facts(parts.joined(separator: new)))
    #expect(found.verdict == verdict)
    #expect(found.advice?.contains(word) == true, "\(found)")
  }

  @Test func whatIsNotWantedIsNotLookedAt() throws {
    let facts = try Self.facts(
      "{\"listening\": [\"0.0.0.0:1\"], \"dht\": null, \"local_network\": null, \"mappings\": null}"
    )
    for check in [Check.mapping, .dht, .localNetwork] {
      #expect(try Self.one(check, in: facts).verdict == .skipped)
    }
    #expect(try Self.one(.ports, in: facts).verdict == .fine)
  }

  @Test func noNodeIsOneFaultAndNoMore() throws {
    var facts = try Self.facts("null")
    facts.nodeFault = "cannot listen at port 80"
    let wrong = facts.diagnoses.filter { $0.verdict != .fine && $0.verdict != .skipped }
    #expect(wrong == [Diagnosis(.ports, .fault, "cannot listen at port 80")])
  }

  /// Answers of a stranger who sits at the daemon's socket.
  @Test(arguments: [
    "null", "[]", "{}", "{\"listening\": 7, \"dht\": 7, \"local_network\": [], \"mappings\": {}}",
    "{\"listening\": [7], \"dht\": {}, \"local_network\": {}, \"mappings\": [7, {}]}",
    "{\"mappings\": [{\"protocol\": \"tcp\", \"state\": \"mapped\"}, {\"state\": \"failed\"}]}",
  ])
  func strangeAnswers(_ text: String) throws {
    let found = try Self.facts(text).diagnoses
    #expect(found.map(\.check) == Check.allCases.filter { $0 != .peers })
    #expect(found.first?.verdict == .fault)
  }

  @Test func theClock() throws {
    var facts = try Self.facts()
    #expect(try Self.one(.clock, in: facts).verdict == .fine)
    facts.clock.isSynchronized = false
    #expect(try Self.one(.clock, in: facts).verdict == .warning)
    facts.clock.isSynchronized = true
    facts.clock.newestWrite = facts.clock.now + DoctorLimits.clockSlack
    #expect(try Self.one(.clock, in: facts).verdict == .fine)
    facts.clock.newestWrite = facts.clock.now + DoctorLimits.clockSlack + 1
    #expect(try Self.one(.clock, in: facts).verdict == .fault)
    facts.clock = .init(now: 0)
    let found = try Self.one(.clock, in: facts)
    #expect(found.verdict == .fault && found.text.contains("1970-01-01"))
  }

  @Test func theDisk() throws {
    func verdict(_ change: (inout DoctorFacts.Disk) -> Void) throws -> Verdict {
      var facts = try Self.facts()
      change(&facts.disk)
      return try Self.one(.disk, in: facts).verdict
    }
    #expect(try verdict { $0.free = nil } == .fine)
    #expect(try verdict { $0.free = DoctorLimits.littleSpace } == .fine)
    #expect(try verdict { $0.free = DoctorLimits.littleSpace - 1 } == .warning)
    #expect(try verdict { $0.free = DoctorLimits.noSpace } == .warning)
    #expect(try verdict { $0.free = DoctorLimits.noSpace - 1 } == .fault)
    #expect(try verdict { $0.freeFiles = 0 } == .fault)
    #expect(try verdict { $0.freeFiles = 1 } == .fine)
    #expect(try verdict { $0.fault = "Read-only file system" } == .fault)
  }

  @Test func theLimits() throws {
    func found(_ descriptors: UInt64?, _ memory: UInt64?) throws -> Diagnosis {
      var facts = try Self.facts()
      facts.limits = .init(descriptors: descriptors, memory: memory)
      return try Self.one(.limits, in: facts)
    }
    #expect(try found(nil, nil).verdict == .fine)
    #expect(try found(DoctorLimits.fewDescriptors, DoctorLimits.littleMemory).verdict == .fine)
    #expect(try found(DoctorLimits.fewDescriptors - 1, nil).verdict == .warning)
    #expect(try found(DoctorLimits.noDescriptors - 1, nil).verdict == .fault)
    #expect(try found(nil, DoctorLimits.littleMemory - 1).verdict == .warning)
    let both = try found(1, 1)
    #expect(both.verdict == .fault && both.advice?.contains("; ") == true)
  }

  /// What the system says is plausible here.
  @Test func theSystem() {
    let scratch = ScratchFolder()
    let disk = SystemFacts.disk(at: scratch.path, fault: nil)
    #expect(disk.fault == nil && disk.free != nil)
    let missing = SystemFacts.disk(at: scratch("none"), fault: nil)
    #expect(missing.fault?.contains("No such file") == true)
    let clock = SystemFacts.clock(beside: scratch.path)
    #expect(clock.newestWrite != nil && clock.now >= clock.newestWrite ?? .max)
    #expect(SystemFacts.clock(beside: scratch("none")).newestWrite == nil)
    #expect(SystemFacts.limits.descriptors ?? .max > 0)
  }
}
