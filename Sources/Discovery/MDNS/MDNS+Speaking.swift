import Wire

/// A packet that we sent, until the system has handed it back on every interface that hears it.
struct MDNSEcho {
  let bytes: [UInt8]
  let family: IPFamily
  let sent: Duration
  var heardOn: Set<UInt32> = []
}

// MARK: - Saying what is due

extension MDNS {
  /// Sends one packet of goodbyes, answers and announcements that are due on a link, and sees to the
  /// next one.
  mutating func speak(_ index: Int, now: Duration) {
    if let next = links[index].nextPacket, next > now { return }
    let answers = links[index].pending.filter { $0.value <= now }.keys.sorted()
    let announced = links[index].announcements.filter { $0.due <= now }.map(\.record)
    guard !links[index].goodbyes.isEmpty || !answers.isEmpty || !announced.isEmpty else { return }
    var writer = DNSWriter(flags: [.response, .authoritative])
    var isFull = addGoodbyes(index, to: &writer)
    var said: [Int] = []
    for id in answers + announced where !isFull && !said.contains(id) {
      guard let record = records[id] else {
        links[index].pending[id] = nil
        links[index].announcements.removeAll { $0.record == id }
        continue
      }
      if writer.add(record.record, to: .answers) {
        said.append(id)
      } else if writer.isEmpty {
        // It fits no packet; bounds on what we publish keep that from happening.
        links[index].pending[id] = nil
        links[index].announcements.removeAll { $0.record == id }
      } else {
        isFull = true
      }
    }
    for helpful in additionals(to: said, on: index) {
      guard let record = records[helpful], writer.add(record.record, to: .additionals) else {
        break
      }
      links[index].lastMulticast[helpful] = now
    }
    markSaid(said, on: index, now: now)
    let pause = isEnding ? MDNSLimits.lastPacketInterval : MDNSLimits.packetInterval
    links[index].nextPacket = now + pause
    if !writer.isEmpty { multicast(writer.bytes, on: index, now: now) }
  }

  /// Whether there was no room for all.
  private mutating func addGoodbyes(_ index: Int, to writer: inout DNSWriter) -> Bool {
    var count = 0
    for goodbye in links[index].goodbyes {
      guard writer.add(goodbye, to: .answers) else { break }
      count += 1
    }
    // What fits no packet is not said.
    if count == 0, !links[index].goodbyes.isEmpty { count = 1 }
    links[index].goodbyes.removeFirst(count)
    return !links[index].goodbyes.isEmpty
  }

  private mutating func markSaid(_ said: [Int], on index: Int, now: Duration) {
    let said = Set(said)
    for id in said {
      links[index].pending[id] = nil
      links[index].lastMulticast[id] = now
    }
    let announcements = links[index].announcements
    links[index].announcements = announcements.compactMap { announcement in
      guard said.contains(announcement.record), announcement.due <= now else {
        return announcement
      }
      var next = announcement
      next.left -= 1
      next.due = now + MDNSLimits.announcementInterval
      return next.left > 0 ? next : nil
    }
  }

  /// What a questioner will ask next: RFC 6763, 12. Negative answers too (RFC 6762, 6.1).
  func additionals(to answers: [Int], on index: Int) -> [Int] {
    var found: [Int] = []
    var seen = Set(answers)
    var names: [DomainName] = []
    for id in answers {
      switch records[id]?.record.data {
      case .ptr(let instance)?: if !names.contains(instance) { names.append(instance) }
      case .srv(let service)?: if !names.contains(service.target) { names.append(service.target) }
      case .a?, .aaaa?:
        if let name = records[id]?.record.name, !names.contains(name) { names.append(name) }
      default: break
      }
    }
    var next = 0
    while next < names.count {
      for record in records.named(names[next])
      where record.isUnique && isPublished(record, on: index)
        && links[index].established.contains(record.claim) && seen.insert(record.id).inserted
      {
        found.append(record.id)
        if case .srv(let service) = record.record.data, !names.contains(service.target) {
          names.append(service.target)
        }
      }
      next += 1
    }
    return found
  }

  mutating func multicast(_ bytes: [UInt8], on index: Int, now: Duration) {
    let link = links[index].link
    echoes.removeAll { now - $0.sent > MDNSLimits.echoTime }
    if echoes.count >= MDNSLimits.echoes { echoes.removeFirst() }
    echoes.append(MDNSEcho(bytes: bytes, family: link.family, sent: now))
    emit(.send(bytes, .multicast(link)))
  }

  /// Whether a packet is one that we sent ourselves. Another program of this machine may send the same
  /// bytes, which then come once more.
  mutating func isEcho(
    _ datagram: [UInt8], from: PeerEndpoint, on interface: UInt32
  ) -> Bool {
    guard
      interfaces.contains(where: { state in
        state.interface.addresses.contains { $0.address == from.address }
      }),
      let index = echoes.firstIndex(where: {
        $0.family == from.address.ipFamily && !$0.heardOn.contains(interface)
          && $0.bytes == datagram
      })
    else { return false }
    echoes[index].heardOn.insert(interface)
    return true
  }
}
