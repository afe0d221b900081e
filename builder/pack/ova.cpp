#include "builder/pack/ova.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "builder/pack/stream.h"
#include "builder/pack/tar_header.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

constexpr std::size_t kRecord = 20 * kTarBlock;

// {0} disk's name, {1} its size in the archive, {2} capacity, {3} machine, {4} title, {5} version.
// The properties reach the guest as guestinfo.ovfEnv, where the datasource `vmware` reads them.
constexpr const char* kDescriptor = R"(<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:id="file1" ovf:href="{0}" ovf:size="{1}"/>
  </References>
  <DiskSection>
    <Info>Virtual disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{2}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="VM Network">
      <Description>The network of the first card</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="{3}">
    <Info>A virtual machine</Info>
    <Name>{3}</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="other3xLinux64Guest">
      <Info>The guest's operating system</Info>
    </OperatingSystemSection>
    <VirtualHardwareSection ovf:transport="com.vmware.guestInfo">
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{3}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
      <Item>
        <rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>
        <rasd:ElementName>2 virtual processors</rasd:ElementName>
        <rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>2</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:ElementName>2048 MB of memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>2048</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address>
        <rasd:ElementName>SCSI controller 0</rasd:ElementName>
        <rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType>
        <rasd:ResourceType>6</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>0</rasd:AddressOnParent>
        <rasd:ElementName>Hard disk 1</rasd:ElementName>
        <rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>
        <rasd:InstanceID>4</rasd:InstanceID>
        <rasd:Parent>3</rasd:Parent>
        <rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>7</rasd:AddressOnParent>
        <rasd:AutomaticAllocation>true</rasd:AutomaticAllocation>
        <rasd:Connection>VM Network</rasd:Connection>
        <rasd:ElementName>Network adapter 1</rasd:ElementName>
        <rasd:InstanceID>5</rasd:InstanceID>
        <rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType>
        <rasd:ResourceType>10</rasd:ResourceType>
      </Item>
    </VirtualHardwareSection>
    <ProductSection>
      <Info>What the machine is told at its first boot</Info>
      <Product>{4}</Product>
      <Version>{5}</Version>
      <Property ovf:key="guestinfo.hostname" ovf:type="string" ovf:userConfigurable="true" ovf:value="">
        <Label>Host name</Label>
      </Property>
      <Property ovf:key="guestinfo.cloud-init.config.data" ovf:type="string" ovf:userConfigurable="true" ovf:value="">
        <Label>cloud-config</Label>
      </Property>
      <Property ovf:key="guestinfo.cloud-init.data.encoding" ovf:type="string" ovf:userConfigurable="true" ovf:value="">
        <Label>Encoding of the cloud-config: empty, base64 or gzip+base64</Label>
      </Property>
    </ProductSection>
  </VirtualSystem>
</Envelope>
)";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"')
      result += fmt::format("&#{};", static_cast<int>(c));
    else
      result += c;
  }
  return result;
}

}  // namespace

void write_ova(const OvaSpec& spec, const fs::path& out, std::stop_token stop) {
  const std::uint64_t size = fs::file_size(spec.vmdk);
  if (size >= 1ULL << 33) throw ros::Error{"an OVA holds a disk of less than 8 GiB"};
  const std::string disk_name = spec.name + "-disk1.vmdk";
  const std::string descriptor =
      fmt::format(kDescriptor, escaped(disk_name), size, spec.capacity, escaped(spec.name),
                  escaped(spec.title), escaped(spec.version));
  const std::string manifest = fmt::format("SHA256({}.ovf)= {}\nSHA256({})= {}\n", spec.name,
                                           ros::sha256(descriptor), disk_name, spec.vmdk_sha256);

  const ros::Fd fd = create_sparse(out.string(), 0);
  std::uint64_t end = 0;
  const auto put = [&](std::string_view bytes) {
    write_at(fd.get(), end, bytes);
    end += bytes.size();
  };
  const auto put_text_file = [&](const std::string& name, const std::string& text) {
    put(file_header(name, text.size()).finish() + text + tar_padding(text.size()));
  };
  put_text_file(spec.name + ".ovf", descriptor);
  put_text_file(spec.name + ".mf", manifest);
  put(file_header(disk_name, size).finish());
  copy_sparse(spec.vmdk.string(), fd.get(), end, stop);
  end += size;
  put(tar_padding(size));
  put(std::string(2 * kTarBlock, '\0'));
  put(tar_padding(end, kRecord));
}

}  // namespace rosbuild
