package main

// The response types of a generated SDK for the operation, as its generator writes them: every field is a pointer,
// and the body sits beside headers and status. The generated package itself is on no public module proxy.

type taskListResponse struct {
	Headers    map[string]*string `json:"headers,omitempty"`
	StatusCode *int32             `json:"statusCode,omitempty"`
	Body       *taskListBody      `json:"body,omitempty"`
}

type taskListBody struct {
	ErrCode        *string        `json:"ErrCode,omitempty"`
	ErrMessage     *string        `json:"ErrMessage,omitempty"`
	HTTPStatusCode *int32         `json:"HttpStatusCode,omitempty"`
	Items          *taskListItems `json:"Items,omitempty"`
	PageNum        *int32         `json:"PageNum,omitempty"`
	PageSize       *int32         `json:"PageSize,omitempty"`
	RequestID      *string        `json:"RequestId,omitempty"`
	Success        *bool          `json:"Success,omitempty"`
	TotalElements  *int32         `json:"TotalElements,omitempty"`
	TotalPages     *int32         `json:"TotalPages,omitempty"`
}

type taskListItems struct {
	BackupSetDownloadTaskDetail []*taskDetail `json:"BackupSetDownloadTaskDetail,omitempty"`
}

type taskDetail struct {
	BackupGatewayID              *int64  `json:"BackupGatewayId,omitempty"`
	BackupPlanID                 *string `json:"BackupPlanId,omitempty"`
	BackupSetCode                *string `json:"BackupSetCode,omitempty"`
	BackupSetDataFormat          *string `json:"BackupSetDataFormat,omitempty"`
	BackupSetDataSize            *int64  `json:"BackupSetDataSize,omitempty"`
	BackupSetDBType              *string `json:"BackupSetDbType,omitempty"`
	BackupSetDownloadCreateTime  *int64  `json:"BackupSetDownloadCreateTime,omitempty"`
	BackupSetDownloadDir         *string `json:"BackupSetDownloadDir,omitempty"`
	BackupSetDownloadFinishTime  *int64  `json:"BackupSetDownloadFinishTime,omitempty"`
	BackupSetDownloadInternetURL *string `json:"BackupSetDownloadInternetUrl,omitempty"`
	BackupSetDownloadIntranetURL *string `json:"BackupSetDownloadIntranetUrl,omitempty"`
	BackupSetDownloadStatus      *string `json:"BackupSetDownloadStatus,omitempty"`
	BackupSetDownloadTargetType  *string `json:"BackupSetDownloadTargetType,omitempty"`
	BackupSetDownloadTaskID      *string `json:"BackupSetDownloadTaskId,omitempty"`
	BackupSetDownloadTaskName    *string `json:"BackupSetDownloadTaskName,omitempty"`
	BackupSetDownloadWay         *string `json:"BackupSetDownloadWay,omitempty"`
	BackupSetID                  *string `json:"BackupSetId,omitempty"`
	BackupSetJobType             *string `json:"BackupSetJobType,omitempty"`
	ErrMessage                   *string `json:"ErrMessage,omitempty"`
}
