import Wire

/// What `swarm doctor` goes by. Nothing here is judged yet.
struct DoctorFacts {
  /// How a node is doing: the members of `GET /v1/node` (docs/api.md).
  var node = JSON.null
  /// Why there is none.
  var nodeFault: String?
  /// Whether it is the daemon's, rather than one of our own.
  var isDaemon = false
  /// Seconds that routers and the DHT had to answer.
  var seconds = DoctorLimits.patience
  var clock = Clock()
  var disk = Disk()
  var limits = Limits()
  /// Peers that were named, each with why it cannot be reached; nil where it can.
  var peers: [(address: String, fault: String?)] = []

  /// The system's clock.
  struct Clock {
    /// Seconds since 1970.
    var now: Int64 = 0
    /// When something in the state folder was written last; nil where nothing was.
    var newestWrite: Int64?
    /// Whether something keeps it right (NTP); nil where the system does not say.
    var isSynchronized: Bool?
  }

  /// Where the state folder is.
  struct Disk {
    /// The folder, safe to print.
    var path = ""
    /// Why it cannot be written to.
    var fault: String?
    /// Bytes that this user may write; nil where the system does not say.
    var free: UInt64?
    /// Files that may be made; nil where the file system has no bound.
    var freeFiles: UInt64?
  }

  /// What one program may have; nil for no bound.
  struct Limits {
    /// Descriptors, as far as the program may raise that by itself.
    var descriptors: UInt64?
    /// Bytes of memory.
    var memory: UInt64?
  }

  /// What is found, in the order of `Diagnosis.Check`.
  var diagnoses: [Diagnosis] {
    [ports, mapping, dht, localNetwork, clockDiagnosis, diskDiagnosis, limitsDiagnosis]
      + peers.map(Self.diagnosis(of:))
  }

  // MARK: The network

  private static func diagnosis(of peer: (address: String, fault: String?)) -> Diagnosis {
    guard let fault = peer.fault else {
      return Diagnosis(.peers, .fine, "\(peer.address) can be reached")
    }
    return Diagnosis(
      .peers, .fault, "\(peer.address): \(fault)",
      advice: "is swarm running there, at that port, and does its firewall let TCP in?")
  }

  /// What was not checked, and why: `option` turns it off.
  private func skipped(_ check: Diagnosis.Check, _ option: String) -> Diagnosis {
    if nodeFault != nil { return Diagnosis(check, .skipped, "not checked: no node runs") }
    return Diagnosis(
      check, .skipped, isDaemon ? "the daemon does without (\(option))" : "off (\(option))")
  }

  /// The first port at which peers connect; nil where it listens nowhere.
  private var port: String? {
    node["listening"]?.list?.first?.text?.split(separator: ":").last.map(String.init)
  }

  private var ports: Diagnosis {
    if let nodeFault { return Diagnosis(.ports, .fault, nodeFault) }
    let places = (node["listening"]?.list ?? []).compactMap(\.text)
    guard !places.isEmpty else {
      return Diagnosis(
        .ports, .fault, "it listens at no port", advice: "name a free one by --listen")
    }
    return Diagnosis(
      .ports, .fine,
      (isDaemon ? "the daemon listens at " : "free: ") + places.joined(separator: ", "))
  }

  private var mapping: Diagnosis {
    guard nodeFault == nil, let all = node["mappings"]?.list, !all.isEmpty else {
      return skipped(.mapping, "--no-mapping")
    }
    let ours = all.filter { $0["protocol"]?.text == "tcp" }
    func first(_ state: String) -> JSON? { ours.first { $0["state"]?.text == state } }
    let forward = "forward TCP and UDP port \(port ?? "of --listen") to this machine in the router"
    if let found = first("mapped") {
      let place = "\(found["external_address"]?.text ?? "?"):\(found["external_port"]?.number ?? 0)"
      guard found["behind_another_router"]?.flag == true else {
        return Diagnosis(.mapping, .fine, "a router forwards \(place) to this machine")
      }
      return Diagnosis(
        .mapping, .warning, "the router that maps \(place) is itself behind another one",
        advice: "\(forward) in the outer one too, or share from a machine that others can reach")
    }
    if let found = first("failed") {
      return Diagnosis(
        .mapping, .warning,
        "the router maps no port: \(found["reason"]?.text ?? "no reason given")",
        advice: "turn on UPnP or NAT-PMP there, or \(forward)")
    }
    let silent = first("searching") != nil
    return Diagnosis(
      .mapping, .warning,
      silent ? "no router answered within \(seconds) s" : "there is no router to ask for a port",
      advice: "where this machine has an address of its own, let TCP and UDP port "
        + "\(port ?? "of --listen") through its firewall; else \(forward)")
  }

  private var dht: Diagnosis {
    guard nodeFault == nil, let status = node["dht"], case .object = status else {
      return skipped(.dht, "--no-dht")
    }
    if let fault = status["fault"]?.text {
      return Diagnosis(.dht, .fault, fault, advice: "see ports; --no-dht does without")
    }
    let families = [status["ipv4"], status["ipv6"]].compactMap { $0 }
    func sum(_ key: String) -> UInt64 { families.reduce(0) { $0 + ($1[key]?.number ?? 0) } }
    let (good, other) = (sum("good_nodes"), sum("other_nodes"))
    let seen = families.compactMap { $0["external_address"]?.text }.joined(separator: " and ")
    guard good > 0 else {
      return Diagnosis(
        .dht, .fault, "no node answered within \(seconds) s",
        advice: "let UDP port \(port ?? "of --listen") through firewalls, both ways; in a network "
          + "without internet name a node by --dht-node, or peers by --peer with --no-dht")
    }
    let text =
      Quantity.count(Int(clamping: good + other), "node")
      + (seen.isEmpty ? "" : ", which see us at \(seen)")
    guard good + other < DoctorLimits.fewNodes else { return Diagnosis(.dht, .fine, text) }
    return Diagnosis(
      .dht, .warning, text + ": few",
      advice: "that is fine in a network of your own; else wait a minute and check again")
  }

  private var localNetwork: Diagnosis {
    guard nodeFault == nil, let status = node["local_network"], case .object = status else {
      return skipped(.localNetwork, "--no-lan")
    }
    let names = (status["interfaces"]?.list ?? []).compactMap { $0["name"]?.text }
    let faults = (status["faults"]?.list ?? []).compactMap(\.text)
    if status["mdns"]?.flag != true || !faults.isEmpty {
      return Diagnosis(
        .localNetwork, .warning, faults.first ?? "no multicast DNS",
        advice: "let UDP ports 5353 and 6771 through the firewall; --no-lan does without")
    }
    if names.isEmpty {
      return Diagnosis(
        .localNetwork, .warning, "no interface that takes multicasts",
        advice: "others are found by the DHT, or named by --peer")
    }
    return Diagnosis(.localNetwork, .fine, "multicast DNS on \(names.joined(separator: ", "))")
  }

  // MARK: The machine

  private var clockDiagnosis: Diagnosis {
    let set = "set the clock, and let something keep it: timedatectl set-ntp true"
    let text = UTC.text(of: clock.now)
    if clock.now < DoctorLimits.earliestTime {
      return Diagnosis(.clock, .fault, "it is \(text), which cannot be", advice: set)
    }
    if let newest = clock.newestWrite, newest > clock.now + DoctorLimits.clockSlack {
      return Diagnosis(
        .clock, .fault,
        "it is \(text), and the state folder was written to at \(UTC.text(of: newest))",
        advice: set)
    }
    if clock.isSynchronized == false {
      return Diagnosis(.clock, .warning, "\(text); nothing keeps it right", advice: set)
    }
    return Diagnosis(.clock, .fine, text)
  }

  private var diskDiagnosis: Diagnosis {
    if let fault = disk.fault {
      return Diagnosis(
        .disk, .fault, fault, advice: "choose a folder that can be written to by --state")
    }
    let free = disk.free.map { "\(Quantity.bytes($0)) free" } ?? "unknown space"
    let text = "\(free) at \(disk.path)"
    let room = "make room, or choose another folder by --state"
    let space = disk.free ?? .max
    if space < DoctorLimits.noSpace || disk.freeFiles == 0 {
      return Diagnosis(
        .disk, .fault, disk.freeFiles == 0 ? "no file can be made at \(disk.path)" : text,
        advice: room)
    }
    if space < DoctorLimits.littleSpace { return Diagnosis(.disk, .warning, text, advice: room) }
    return Diagnosis(.disk, .fine, text)
  }

  private var limitsDiagnosis: Diagnosis {
    var texts: [String] = []
    var advice: [String] = []
    var verdict = Diagnosis.Verdict.fine
    texts.append(limits.descriptors.map { "\($0) open files" } ?? "any number of open files")
    if let count = limits.descriptors, count < DoctorLimits.fewDescriptors {
      verdict = count < DoctorLimits.noDescriptors ? .fault : .warning
      advice.append(
        "raise the bound: ulimit -n \(DoctorLimits.fewDescriptors), LimitNOFILE= in systemd")
    }
    texts.append(limits.memory.map { "\(Quantity.bytes($0)) of memory" } ?? "all of the memory")
    if let bytes = limits.memory, bytes < DoctorLimits.littleMemory {
      if verdict == .fine { verdict = .warning }
      advice.append(
        "let it have \(Quantity.bytes(DoctorLimits.littleMemory)) of memory, or lower --max-peers")
    }
    return Diagnosis(
      .limits, verdict, texts.joined(separator: ", "),
      advice: advice.isEmpty ? nil : advice.joined(separator: "; "))
  }
}
