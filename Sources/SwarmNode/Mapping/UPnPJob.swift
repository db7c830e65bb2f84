import CMiniUPnPc
import Discovery
import Glibc
import Metainfo
import Wire

/// What is remembered of a router from one job to the next.
struct UPnPPlace: Hashable, Sendable {
  var gateway: Gateway
  /// Where it describes itself.
  var description: String
}

/// Carries out a job by UPnP with libminiupnpc. Waits for the router, so it runs on the thread of
/// mapping; `UPnPGuard` cuts it off.
struct UPnPJob {
  private let controlURL: String
  private let serviceType: String
  private let local: String

  /// Asks what `job` says. `place` is where the router was found before, and is set to where it was
  /// found now.
  static func run(
    _ job: MappingJob, _ place: inout UPnPPlace?
  ) -> Result<MappingAnswer, MappingFailure> {
    if place?.gateway != job.gateway { place = nil }
    do throws(MappingFailure) {
      if let known = place {
        // A router that restarted may describe itself elsewhere now.
        if let answer = try? UPnPJob(known).carryOut(job.work) { return .success(answer) }
        place = nil
      }
      guard let description = UPnPSearch.description(of: job.gateway) else {
        throw .notOffered(.upnp)
      }
      let found = UPnPPlace(gateway: job.gateway, description: description)
      let answer = try UPnPJob(found).carryOut(job.work)
      place = found
      return .success(answer)
    } catch {
      return .failure(error)
    }
  }

  /// Reads the router's description.
  private init(_ place: UPnPPlace) throws(MappingFailure) {
    var urls = UPNPUrls()
    var data = IGDdatas()
    var address = [CChar](repeating: 0, count: 64)
    guard
      UPNP_GetIGDFromUrl(place.description, &urls, &data, &address, Int32(address.count)) == 1
    else { throw .noAnswer }
    let control = urls.controlURL.map { String(cString: $0) } ?? ""
    let type = withUnsafePointer(to: &data.first.servicetype) {
      $0.withMemoryRebound(to: CChar.self, capacity: Int(MINIUPNPC_URL_MAXSIZE)) {
        String(cString: $0)
      }
    }
    FreeUPNPUrls(&urls)
    guard type.contains(":WANIPConnection:") || type.contains(":WANPPPConnection:") else {
      throw .notOffered(.upnp)
    }
    // A description may name any place; requests go to the router alone.
    guard UPnPSearch.host(of: control) == place.gateway.address else {
      throw .nonsense("its UPnP is controlled at another address")
    }
    controlURL = control
    serviceType = type
    local = "\(place.gateway.local)"
  }

  private func carryOut(_ work: MappingJob.Work) throws(MappingFailure) -> MappingAnswer {
    switch work {
    case .probe: return MappingAnswer(externalAddress: try externalAddress())
    case .map(let requests):
      var ports: [MappingAnswer.Port] = []
      for request in requests { ports.append(try map(request)) }
      return MappingAnswer(externalAddress: try externalAddress(), ports: ports)
    case .unmap(let requests):
      for request in requests {
        let code = UPNP_DeletePortMapping(
          controlURL, serviceType, "\(request.externalPort)", Self.name(request), nil)
        if code < 0 { throw .noAnswer }
      }
      return MappingAnswer(externalAddress: nil)
    }
  }

  /// nil when the router has none, or does not say.
  private func externalAddress() throws(MappingFailure) -> IPAddress? {
    var text = [CChar](repeating: 0, count: 64)
    let code = UPNP_GetExternalIPAddress(controlURL, serviceType, &text)
    if code == UPNPCOMMAND_HTTP_ERROR { throw .noAnswer }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return code == 0 ? IPv4Address(bytes).map { .v4($0) } : nil
  }

  private func map(_ request: PortRequest) throws(MappingFailure) -> MappingAnswer.Port {
    let external = "\(request.externalPort)"
    let lease = "\(request.lifetime)"
    var granted = request.externalPort
    var code: Int32
    if request.takesAnyPort, serviceType.hasSuffix(":WANIPConnection:2") {
      // IGD:2 finds a free port itself. The library writes up to six bytes.
      var reserved = [CChar](repeating: 0, count: 16)
      code = UPNP_AddAnyPortMapping(
        controlURL, serviceType, external, "\(request.wanted.port)", local, "swarm",
        Self.name(request), nil, lease, &reserved)
      let digits = reserved.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      granted = UInt16(String(decoding: digits, as: UTF8.self)) ?? 0
    } else {
      code = UPNP_AddPortMapping(
        controlURL, serviceType, external, "\(request.wanted.port)", local, "swarm",
        Self.name(request), nil, lease)
    }
    if code == UPNPCOMMAND_SUCCESS {
      let lifetime = request.lifetime == 0 ? nil : request.lifetime
      return .granted(externalPort: granted, lifetime: lifetime)
    }
    if code < 0 { throw code == UPNPCOMMAND_HTTP_ERROR ? .noAnswer : .nonsense("UPnP \(code)") }
    return .refused(.upnp(code: Int(code)))
  }

  private static func name(_ request: PortRequest) -> String {
    request.wanted.transport == .tcp ? "TCP" : "UDP"
  }
}
